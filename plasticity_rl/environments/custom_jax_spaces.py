"""Spaces of environments in JAX: their actions and what they show."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from plasticity_rl.environments import custom_spaces
from plasticity_rl.environments.spaces import Continuous
from plasticity_rl.environments.spaces import Discrete
from plasticity_rl.errors import UserError


class Actions(NamedTuple):
  """Actions of an environment.

  Attributes:
    space: what the agent chooses from.
    convert: from the agent's action to the environment's.
  """

  space: Discrete | Continuous
  convert: Callable[[jax.Array], jax.Array]


class Observations(NamedTuple):
  """Observations of an environment, after `convert`."""

  shape: tuple[int, ...]
  dtype: Any
  convert: Callable[[jax.Array], jax.Array]


def count_of(space: Any) -> int | None:
  """The number of members of a discrete space; None if it is another one."""
  count = getattr(space, 'n', None)
  return int(count) if isinstance(count, (int, np.integer)) else None


def actions(name: str, space: Any) -> Actions:
  """The actions of a space as gymnax has them: `n`, or `low`, `high`, `shape`.

  Args:
    name: of the environment, for messages.
    space: of its actions.

  Raises:
    UserError: no agent takes such actions.
  """
  count = count_of(space)
  if count is not None:
    if count < 1:
      raise UserError(f'environment {name!r}: there are {count} actions')
    return Actions(Discrete(count), lambda action: action)
  if not all(hasattr(space, part) for part in ('low', 'high', 'shape')):
    raise UserError(
      f'environment {name!r}: actions must be a Discrete or a Box, not a '
      f'{type(space).__name__}'
    )
  shape = tuple(space.shape)
  low, high = (np.broadcast_to(x, shape) for x in (space.low, space.high))
  dtype = getattr(space, 'dtype', np.float32)
  middle, half = custom_spaces.scaling(name, low, high, dtype)

  def convert(action: jax.Array) -> jax.Array:
    scaled = middle + half * jnp.clip(action, -1, 1).reshape(shape)
    return scaled.astype(dtype)

  return Actions(Continuous(math.prod(shape)), convert)


def unit_actions(name: str, size: int) -> Actions:
  """Vectors in [-1, 1]^size, which the environment scales itself."""
  if size < 1:
    raise UserError(f'environment {name!r}: actions of size {size} are empty')
  return Actions(Continuous(int(size)), lambda action: jnp.clip(action, -1, 1))


def observations(name: str, found: Any, count: int | None) -> Observations:
  """How observations become what the networks see.

  Pictures `[H, W, C]` stay, uint8 ones `[H, W]` get a channel, and the members
  of a discrete space become one-hot. Other arrays become one float32 vector.

  Args:
    name: of the environment, for messages.
    found: shapes and dtypes of what `reset` returns, from `jax.eval_shape`.
    count: members of the space of observations if it is discrete, else None.

  Raises:
    UserError: observations are not one array of real numbers, or have more
      axes than a picture.
  """
  if not isinstance(found, jax.ShapeDtypeStruct):
    raise UserError(
      f'environment {name!r}: observations must be one array, not '
      f'{_tree(found)}; let a callable of your own join them'
    )
  shape, dtype = tuple(found.shape), found.dtype
  where = f'environment {name!r}: observations of shape {shape}'
  if not _is_real(dtype):
    raise UserError(f'{where} and dtype {dtype} are not real numbers')
  if not math.prod(shape):
    raise UserError(f'{where} are empty')
  if len(shape) > 3:
    raise UserError(
      f'{where} are neither pictures [H, W, C] nor vectors: put frames on the '
      'last axis'
    )
  if not shape and count is not None:
    return Observations(
      (count,), jnp.float32, lambda x: jax.nn.one_hot(x, count)
    )
  if len(shape) == 3:
    custom_spaces.refuse_channels_first(where, shape)
    kept = dtype if dtype in (jnp.uint8, jnp.bool_) else jnp.float32
    return Observations(shape, kept, lambda x: x.astype(kept))
  if len(shape) == 2 and dtype == jnp.uint8:
    return Observations((*shape, 1), jnp.uint8, lambda x: x[..., None])
  size = math.prod(shape)
  return Observations(
    (size,), jnp.float32, lambda x: x.astype(jnp.float32).reshape(size)
  )


def _is_real(dtype: Any) -> bool:
  return dtype == jnp.bool_ or (
    jnp.issubdtype(dtype, jnp.number)
    and not jnp.issubdtype(dtype, jnp.complexfloating)
  )


def _tree(found: Any) -> str:
  """The arrays of a tree in words."""
  parts = [
    f'{jax.tree_util.keystr(path)} {tuple(leaf.shape)}'
    for path, leaf in jax.tree_util.tree_leaves_with_path(found)
  ]
  text = ', '.join(parts[:4]) + ', ...' * (len(parts) > 4)
  return f'a {type(found).__name__} of {len(parts)} arrays: {text}'
