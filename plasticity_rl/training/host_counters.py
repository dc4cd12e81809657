"""The counters of a state as Python numbers, for training on the host."""

import jax.numpy as jnp

from plasticity_rl.types import TrainState


class HostCounters:
  """The fields of `Counters`, as integers that can be increased."""

  def __init__(self, state: TrainState):
    self.step, self.updates, self.stored, self.cleared = map(
      int, state.counters
    )

  def put(self, state: TrainState) -> TrainState:
    """Returns the state with these counters."""
    return state._replace(
      counters=state.counters._replace(
        **{
          name: jnp.array(value, jnp.int32)
          for name, value in vars(self).items()
        }
      )
    )
