"""The state of the environments of a run on the host, as arrays."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from plasticity_rl.environments import custom_state
from plasticity_rl.types import TrainState

# Where a state of a run has the states of simulators.
_SIMULATORS = 'env.simulators.'


class HostEnvState(NamedTuple):
  """The state of environments, in NumPy arrays `[S, E, ...]`.

  Attributes:
    simulators: states of the simulators; empty if they cannot be copied.
    observation: the current observations.
    episode_return: undiscounted and unclipped returns of the current episodes.
    statistics: running statistics of observations and returns for each seed, as
      far as these are normalised.
  """

  simulators: dict[str, np.ndarray]
  observation: np.ndarray
  episode_return: np.ndarray
  statistics: dict[str, np.ndarray]


def shapes_as_saved(state: TrainState, leaves: Mapping[str, Any]) -> TrainState:
  """Shapes of a state in which simulators are as a checkpoint has them.

  Only of users' environments, whose states are bytes of any number. Earlier
  versions saved them as arrays, which these environments still take.

  Args:
    state: shapes of the state of all hosts.
    leaves: shape and dtype of each leaf of the checkpoint, by its path.
  """
  env = state.env
  saved = {
    path.removeprefix(_SIMULATORS): jax.ShapeDtypeStruct(tuple(shape), dtype)
    for path, (shape, dtype) in leaves.items()
    if path.startswith(_SIMULATORS)
  }
  # With none, it was saved by an environment that could not be copied.
  if (
    not isinstance(env, HostEnvState)
    or not saved
    or not any(map(custom_state.is_encoded, env.simulators))
  ):
    return state
  return state._replace(env=env._replace(simulators=saved))
