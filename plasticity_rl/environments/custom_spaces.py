"""Converts actions and observations of users' environments to `Spaces`."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from dm_env import specs

from plasticity_rl.environments.spaces import Continuous
from plasticity_rl.environments.spaces import Discrete
from plasticity_rl.environments.spaces import Spaces
from plasticity_rl.errors import UserError


class Adapter(NamedTuple):
  """Converts between a user's environment and this package.

  Attributes:
    spaces: of the converted environment.
    action: converts an agent's action to the environment's.
    observation: converts the environment's observation to an array.
  """

  spaces: Spaces
  action: Callable[[np.ndarray], Any]
  observation: Callable[[Any], np.ndarray]


def gymnasium_adapter(name: str, env: Any) -> Adapter:
  """The adapter of a `gymnasium.Env`.

  gymnasium flattens observations that are not a Box.

  Raises:
    UserError: the action or observation space is not supported.
  """
  from gymnasium import spaces as gym_spaces

  space = env.action_space
  if isinstance(space, gym_spaces.Discrete):
    actions, action = _discrete(int(space.n), int(space.start))
  elif isinstance(space, gym_spaces.Box):
    actions, action = _continuous(name, space.low, space.high, space.dtype)
  else:
    raise UserError(_unfit(name, 'actions', space, 'Discrete or Box'))

  seen = env.observation_space
  if isinstance(seen, gym_spaces.Box):
    shape, dtype, observation = _array(seen.shape, seen.dtype)
  elif seen.is_np_flattenable:
    shape, dtype = (gym_spaces.flatdim(seen),), np.float32

    def observation(value: Any) -> np.ndarray:
      return gym_spaces.flatten(seen, value).astype(np.float32)
  else:
    raise UserError(
      _unfit(name, 'observations', seen, 'a Box or what flattens to one')
    )
  return Adapter(Spaces(shape, dtype, actions), action, observation)


def dm_env_adapter(name: str, env: Any) -> Adapter:
  """The adapter of a `dm_env.Environment`. A dict of arrays becomes a vector.

  Raises:
    UserError: the action or observation spec is not supported.
  """
  spec = env.action_spec()
  if isinstance(spec, specs.DiscreteArray):
    actions, action = _discrete(int(spec.num_values), 0)
  elif isinstance(spec, specs.BoundedArray):
    shape = spec.shape
    low = np.broadcast_to(spec.minimum, shape)
    high = np.broadcast_to(spec.maximum, shape)
    actions, action = _continuous(name, low, high, spec.dtype)
  else:
    raise UserError(
      _unfit(name, 'actions', spec, 'a DiscreteArray or a BoundedArray')
    )

  seen = env.observation_spec()
  if isinstance(seen, specs.Array):
    shape, dtype, observation = _array(seen.shape, seen.dtype)
  elif isinstance(seen, dict) and all(
    isinstance(part, specs.Array) for part in seen.values()
  ):
    keys = tuple(seen)
    shape = (sum(math.prod(part.shape) for part in seen.values()),)
    dtype = np.float32

    def observation(value: Any) -> np.ndarray:
      parts = [np.ravel(value[key]) for key in keys]
      return np.concatenate(parts).astype(np.float32)
  else:
    raise UserError(
      _unfit(name, 'observations', seen, 'an Array or a flat dict of them')
    )
  return Adapter(Spaces(shape, dtype, actions), action, observation)


def _discrete(number: int, start: int) -> tuple[Discrete, Callable]:
  return Discrete(number), lambda action: int(action) + start


def _continuous(
  name: str, low: np.ndarray, high: np.ndarray, dtype: Any
) -> tuple[Continuous, Callable]:
  """Scales actions from [-1, 1] to the bounds."""
  if np.dtype(dtype).kind != 'f':
    raise UserError(
      f'environment {name!r}: actions of dtype {dtype} are vectors of whole '
      'numbers, which no agent here takes; make them one Discrete'
    )
  if not (np.isfinite(low).all() and np.isfinite(high).all()):
    raise UserError(
      f'environment {name!r}: actions need finite bounds, to which [-1, 1] is '
      f'scaled, not {low.min()} to {high.max()}'
    )
  shape = low.shape
  # In float64: the difference of float32 bounds may overflow.
  low, high = np.float64(low), np.float64(high)
  middle, half = (low + high) / 2, (high - low) / 2

  def action(value: np.ndarray) -> np.ndarray:
    value = np.clip(value, -1, 1).reshape(shape)
    return (middle + half * value).astype(dtype)

  return Continuous(math.prod(shape)), action


def _array(
  shape: tuple[int, ...], dtype: Any
) -> tuple[tuple[int, ...], Any, Callable]:
  """Keeps uint8 images; every other array becomes a float32 vector."""
  if np.dtype(dtype) == np.uint8 and len(shape) in (2, 3):
    shape = shape if len(shape) == 3 else (*shape, 1)
    return shape, np.uint8, lambda value: np.reshape(value, shape)
  size = math.prod(shape)
  return (size,), np.float32, lambda value: np.float32(value).reshape(size)


def _unfit(name: str, what: str, found: Any, wanted: str) -> str:
  return (
    f'environment {name!r}: {what} must be {wanted}, not {found}'
  ).replace('\n', ' ')
