"""What a public function refuses, each in one line.

Shapes and dtypes are checked always. Values are checked where there are any:
inside `jax.jit`, `jax.vmap` and `jax.grad` an array has none yet, so that the
checks cost nothing in a compiled program.
"""

from typing import Any

import chex
import jax
import jax.numpy as jnp

from plasticity_rl.errors import UserError


def numbers(name: str, values: Any) -> jax.Array:
  """Converts values to an array of finite real numbers, at least one.

  Args:
    name: of the values, for the message.
    values: an array, or anything that `jnp.asarray` takes.

  Returns:
    The array.

  Raises:
    UserError: they are not.
  """
  try:
    array = jnp.asarray(values)
  except (TypeError, ValueError):
    raise UserError(
      f'{name}: expected an array of numbers, found {type(values).__name__}'
    ) from None
  if jnp.issubdtype(array.dtype, jnp.complexfloating):
    raise UserError(f'{name}: expected real numbers, found {array.dtype}')
  if not array.size:
    raise UserError(f'{name}: the array is empty, of shape {array.shape}')
  if not isinstance(array, jax.core.Tracer) and not jnp.isfinite(array).all():
    raise UserError(f'{name}: not all values are finite')
  return array


def features(values: Any) -> jax.Array:
  """Converts features of a layer to an array `[B, ..., F]`.

  Raises:
    UserError: they are not finite real numbers, or have no axis for the batch.
  """
  array = numbers('features', values)
  if array.ndim < 2:
    raise UserError(
      'features: expected a batch of feature vectors, [B, ..., F], found shape'
      f' {array.shape}'
    )
  return array


def tree(name: str, values: Any) -> Any:
  """Converts the leaves of a tree to arrays of finite real numbers.

  Raises:
    UserError: the tree has no leaf, or a leaf is not such an array; the message
      has its path.
  """
  if not jax.tree.leaves(values):
    raise UserError(f'{name}: the tree has no array')
  return jax.tree_util.tree_map_with_path(
    lambda path, x: numbers(name + jax.tree_util.keystr(path), x), values
  )


def alike(name: str, values: Any, other: str, than: Any) -> None:
  """Refuses trees of different structures or shapes.

  Raises:
    UserError: the trees differ.
  """
  if jax.tree.structure(values) != jax.tree.structure(than):
    raise UserError(f'{name} and {other} are trees of different structure')
  try:
    chex.assert_trees_all_equal_shapes(values, than)
  except AssertionError:
    raise UserError(
      f'{name} and {other} have arrays of different shapes'
    ) from None


def at_least(name: str, value: float, low: float) -> None:
  """Refuses a number below `low`.

  Raises:
    UserError: the number is below `low`, or NaN.
  """
  if not value >= low:
    raise UserError(f'{name} must be at least {low:g}: {value}')


def share(name: str, value: float) -> None:
  """Refuses a number that is not in [0, 1).

  Raises:
    UserError: the number is not in [0, 1).
  """
  if not 0 <= value < 1:
    raise UserError(f'{name} must be at least 0 and below 1: {value}')
