"""Arms that change no network: the control, and a control of other luck."""

import jax

from plasticity_rl import errors
from plasticity_rl.interventions.base import Intervention
from plasticity_rl.interventions.base import stateless
from plasticity_rl.types import AgentSpec
from plasticity_rl.types import Key
from plasticity_rl.types import TrainState
from plasticity_rl.types import Transition


def control(spec: AgentSpec) -> Intervention:
  """Changes nothing."""
  del spec
  return stateless(lambda key, state, batch: state, nets_only=True)


def reseed(spec: AgentSpec, *, salt: int = 1) -> Intervention:
  """Continues with other random keys: exploration, sampling, environment.

  Two controls that differ by their keys show how far apart arms lie by luck
  alone; one seed continued with many salts shows it for one network.

  Args:
    spec: the agent.
    salt: folded into the keys; another salt, another luck.
  """
  del spec
  if type(salt) is not int or not 0 <= salt < 2**32:
    raise errors.UserError(
      f'reseed: salt must be a whole number from 0 to 2**32 - 1: {salt!r}'
    )

  def apply(key: Key, state: TrainState, batch: Transition) -> TrainState:
    del key, batch
    keys = jax.tree.map(lambda k: jax.random.fold_in(k, salt), state.keys)
    return state._replace(keys=keys)

  return stateless(apply)
