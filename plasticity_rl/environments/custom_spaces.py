"""Converts actions and observations of users' environments to `Spaces`."""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from dm_env import specs

from plasticity_rl.environments import custom_values as values
from plasticity_rl.environments.custom_values import UnfitError
from plasticity_rl.environments.spaces import Continuous
from plasticity_rl.environments.spaces import Discrete
from plasticity_rl.environments.spaces import Spaces
from plasticity_rl.errors import UserError

# uint8 arrays of which the last two axes are at least so long, and more than
# twice as long as the first one, are pictures with their channels first.
_SHORTEST_SIDE = 32


class Adapter(NamedTuple):
  """Converts between a user's environment and this package.

  Attributes:
    spaces: of the converted environment.
    action: converts an agent's action to the environment's.
    observation: converts the environment's observation to an array. It raises
      `UnfitError` if the observation is not of the declared space.
    notes: what the user may not expect of the conversion.
  """

  spaces: Spaces
  action: Callable[[np.ndarray], Any]
  observation: Callable[[Any], np.ndarray]
  notes: tuple[str, ...] = ()


class _Seen(NamedTuple):
  """Observations: shape and dtype after `convert`; notes as in `Adapter`."""

  shape: tuple[int, ...]
  dtype: Any
  convert: Callable[[Any], np.ndarray]
  notes: tuple[str, ...] = ()


def gymnasium_adapter(name: str, env: Any) -> Adapter:
  """The adapter of a `gymnasium.Env`.

  gymnasium flattens observations that are not a Box.

  Raises:
    UserError: the action or observation space is not supported.
  """
  from gymnasium import spaces as gym_spaces

  space = getattr(env, 'action_space', None)
  if isinstance(space, gym_spaces.Discrete):
    actions, action = _discrete(int(space.n), int(space.start))
  elif isinstance(space, gym_spaces.Box):
    actions, action = _continuous(name, space.low, space.high, space.dtype)
  else:
    raise UserError(_unfit(name, 'actions', space, 'Discrete or Box'))

  space = getattr(env, 'observation_space', None)
  if isinstance(space, gym_spaces.Box):
    seen = _array(name, space.shape, space.dtype)
  elif isinstance(space, gym_spaces.Space) and space.is_np_flattenable:
    seen = _flattened(name, space)
  else:
    raise UserError(
      _unfit(name, 'observations', space, 'a Box or what flattens to one')
    )
  return _adapter(seen, actions, action)


def _flattened(name: str, space: Any) -> _Seen:
  """Observations that gymnasium flattens."""
  from gymnasium import spaces as gym_spaces

  def convert(value: Any) -> np.ndarray:
    _check_member(space, value, '')
    return values.float32(gym_spaces.flatten(space, value))

  shape = (gym_spaces.flatdim(space),)
  _refuse_empty(name, shape)
  return _Seen(shape, np.float32, convert)


def _check_member(space: Any, value: Any, where: str) -> None:
  """Checks a value of a space that is no Box.

  Not by `space.contains` alone: it refuses a float64 where the space says
  float32, and bounds that are exceeded a little, which many environments do.

  Raises:
    UnfitError: the value is not of the space.
  """
  from gymnasium import spaces as gym_spaces

  at = f' at {where}' if where else ''
  if isinstance(space, gym_spaces.Dict):
    values.has_keys(value, space.spaces, where)
    for key, part in space.spaces.items():
      _check_member(part, value[key], f'{where}[{key!r}]')
  elif isinstance(space, gym_spaces.Tuple):
    if not isinstance(value, (tuple, list)) or len(value) != len(space.spaces):
      raise UnfitError(
        f'{values.described(value)}{at}', f'a tuple of {len(space.spaces)}'
      )
    for i, part in enumerate(space.spaces):
      _check_member(part, value[i], f'{where}[{i}]')
  elif isinstance(space, gym_spaces.Box):
    values.of_shape(value, space.shape, where)
  elif isinstance(space, gym_spaces.Discrete):
    values.whole_number(
      value, int(space.start), int(space.start + space.n) - 1, where
    )
  elif not _contains(space, value):
    raise UnfitError(f'{values.described(value)}{at}', f'a member of {space}')


def _contains(space: Any, value: Any) -> bool:
  try:
    return space.contains(value)
  except (TypeError, ValueError, OverflowError):  # Of lists that are no array.
    return False


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

  spec = env.observation_spec()
  if isinstance(spec, specs.DiscreteArray):
    highest = int(spec.num_values) - 1
    seen = _Seen(
      (1,),
      np.float32,
      lambda value: np.float32([values.whole_number(value, 0, highest)]),
    )
  elif isinstance(spec, specs.Array):
    seen = _array(name, spec.shape, spec.dtype)
  elif isinstance(spec, dict) and all(
    isinstance(part, specs.Array) for part in spec.values()
  ):
    seen = _joined(name, spec)
  else:
    raise UserError(
      _unfit(name, 'observations', spec, 'an Array or a flat dict of them')
    )
  return _adapter(seen, actions, action)


def _joined(name: str, spec: Mapping[str, Any]) -> _Seen:
  """A dict of arrays as one vector, in the order of the spec."""
  size = sum(math.prod(part.shape) for part in spec.values())
  _refuse_empty(name, (size,))
  for part in spec.values():
    _refuse_unreal(name, part.dtype)

  def convert(value: Any) -> np.ndarray:
    values.has_keys(value, spec)
    parts = [
      np.ravel(values.of_shape(value[key], part.shape, f'[{key!r}]'))
      for key, part in spec.items()
    ]
    return values.float32(np.concatenate(parts))

  return _Seen((size,), np.float32, convert)


def _adapter(
  seen: _Seen, actions: Discrete | Continuous, action: Callable
) -> Adapter:
  return Adapter(
    Spaces(seen.shape, seen.dtype, actions), action, seen.convert, seen.notes
  )


def _discrete(number: int, start: int) -> tuple[Discrete, Callable]:
  return Discrete(number), lambda action: int(action) + start


def _continuous(
  name: str, low: np.ndarray, high: np.ndarray, dtype: Any
) -> tuple[Continuous, Callable]:
  """Scales actions from [-1, 1] to the bounds."""
  middle, half = scaling(name, low, high, dtype)
  shape = low.shape

  def action(value: np.ndarray) -> np.ndarray:
    value = np.clip(value, -1, 1).reshape(shape)
    return (middle + half * value).astype(dtype)

  return Continuous(math.prod(shape)), action


def scaling(
  name: str, low: np.ndarray, high: np.ndarray, dtype: Any
) -> tuple[np.ndarray, np.ndarray]:
  """The middle and half the width of the bounds of continuous actions.

  Args:
    name: of the environment, for messages.
    low: the lower bounds, of the shape of an action.
    high: the upper bounds.
    dtype: of an action.

  Returns:
    Both in float64: the difference of float32 bounds may overflow.

  Raises:
    UserError: no agent takes such actions.
  """
  if np.dtype(dtype).kind != 'f':
    raise UserError(
      f'environment {name!r}: actions of dtype {dtype} are vectors of whole '
      'numbers, which no agent here takes; make them one Discrete'
    )
  if not math.prod(low.shape):
    raise UserError(
      f'environment {name!r}: actions of shape {low.shape} are empty'
    )
  if not (np.isfinite(low).all() and np.isfinite(high).all()):
    raise UserError(
      f'environment {name!r}: actions need finite bounds, to which [-1, 1] is '
      f'scaled, not {low.min()} to {high.max()}'
    )
  low, high = np.float64(low), np.float64(high)
  return (low + high) / 2, (high - low) / 2


def _array(name: str, shape: tuple[int, ...], dtype: Any) -> _Seen:
  """Keeps uint8 images; every other array becomes a float32 vector."""
  _refuse_empty(name, shape)
  _refuse_unreal(name, dtype)
  if np.dtype(dtype) == np.uint8 and len(shape) > 1:
    return _picture(name, shape)
  size, notes = math.prod(shape), ()
  if len(shape) > 2:
    notes = (
      f'its observations of shape {shape} and dtype {np.dtype(dtype)} become '
      f'one vector of {size} numbers, whose places the networks do not know; '
      'pictures are uint8 [H, W, C]',
    )
  return _Seen(
    (size,),
    np.float32,
    lambda value: values.float32(values.of_shape(value, shape)).reshape(size),
    notes,
  )


def _picture(name: str, shape: tuple[int, ...]) -> _Seen:
  where = f'environment {name!r}: observations of shape {shape} and dtype uint8'
  if len(shape) > 3:
    raise UserError(
      f'{where} are neither pictures [H, W, C] nor vectors: put frames on the '
      'last axis, or give single pictures and set '
      'config.environment.stack_frames'
    )
  if len(shape) == 3:
    refuse_channels_first(where, shape)
  kept = shape if len(shape) == 3 else (*shape, 1)
  return _Seen(
    kept,
    np.uint8,
    lambda value: values.uint8(values.of_shape(value, shape)).reshape(kept),
  )


def refuse_channels_first(where: str, shape: tuple[int, ...]) -> None:
  """Refuses pictures `[C, H, W]`.

  Args:
    where: what is at fault, for the message.
    shape: of a picture, three numbers.

  Raises:
    UserError: the first axis is much shorter than two long ones.
  """
  first, *sides = shape
  if min(sides) >= _SHORTEST_SIDE and 2 * first < min(sides):
    raise UserError(
      f'{where} are [C, H, W], it seems, but pictures are [H, W, C] here: '
      'move the first axis to the end, in the space and in what reset() and '
      'step() return, as by numpy.moveaxis(observation, 0, -1)'
    )


def _refuse_empty(name: str, shape: tuple[int, ...]) -> None:
  if not math.prod(shape):
    raise UserError(
      f'environment {name!r}: observations of shape {tuple(shape)} are empty'
    )


def _refuse_unreal(name: str, dtype: Any) -> None:
  if np.dtype(dtype).kind not in 'biuf':
    raise UserError(
      f'environment {name!r}: observations of dtype {np.dtype(dtype)} are not '
      'real numbers'
    )


def _unfit(name: str, what: str, found: Any, wanted: str) -> str:
  text = ' '.join(str(found).split())
  if len(text) > 200:
    text = f'{text[:200]}...'
  return f'environment {name!r}: {what} must be {wanted}, not {text}'
