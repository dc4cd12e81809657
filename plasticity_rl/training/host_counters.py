"""The counters of a state, as numbers of Python while a segment runs."""

import jax.numpy as jnp

from plasticity_rl.types import TrainState


class HostCounters:
  """Those of `Counters`, to be counted up."""

  def __init__(self, state: TrainState):
    self.step, self.updates, self.stored, self.cleared = map(
      int, state.counters
    )

  def put(self, state: TrainState) -> TrainState:
    """The state with these counters."""
    return state._replace(
      counters=state.counters._replace(
        **{
          name: jnp.array(value, jnp.int32)
          for name, value in vars(self).items()
        }
      )
    )
