"""What a public function refuses, each in one line.

Shapes and dtypes are checked always. Values are checked where there are any:
inside `jax.jit`, `jax.vmap` and `jax.grad` an array has none yet, so that the
checks cost nothing in a compiled program.
"""

import math
from collections.abc import Sequence
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np

from plasticity_rl.errors import UserError
from plasticity_rl.errors import nearest
from plasticity_rl.split import trainable


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
  # By numpy: in a compiled function, jnp makes tracers of constants too.
  if not isinstance(array, jax.core.Tracer) and not np.isfinite(array).all():
    raise UserError(f'{name}: not all values are finite')
  return array


def features(values: Any, name: str = 'features') -> jax.Array:
  """Converts features of a layer to an array `[B, ..., F]`.

  Raises:
    UserError: they are not finite real numbers, or have no axis for the batch.
  """
  array = numbers(name, values)
  if array.ndim < 2:
    raise UserError(
      f'{name}: expected a batch of feature vectors, [B, ..., F], found shape'
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


def learning(**trees: Any) -> list[Any]:
  """The part of each tree that learns (`split.trainable`), all alike.

  Args:
    **trees: parameters by their name, perhaps injected.

  Raises:
    UserError: one is no tree of finite numbers, or differs from the first in
      structure or in the shapes of arrays.
  """
  found = {name: tree(name, trainable(x)) for name, x in trees.items()}
  (first, values), *others = found.items()
  for name, x in others:
    alike(first, values, name, x)
  return list(found.values())


def alike(name: str, values: Any, other: str, than: Any) -> None:
  """Refuses trees of different structures or shapes.

  Raises:
    UserError: the trees differ.
  """
  structures: list[Any] = [jax.tree.structure(x) for x in (values, than)]
  if structures[0] != structures[1]:
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


def choice(option: str, value: Any, choices: Sequence[Any]) -> None:
  """Refuses a value that is none of `choices`.

  Raises:
    UserError: the value is none of them; the message has the nearest one.
  """
  if value not in choices:
    raise UserError(nearest(option, str(value), map(str, choices)))


def number(
  what: str,
  value: Any,
  low: float,
  high: float = math.inf,
  *,
  below: float | None = None,
) -> None:
  """Refuses what is no number of `low` to `high`, both included.

  With `below` a number has to be less than that instead.

  Raises:
    UserError: the value is no such number.
  """
  is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
  fits = is_number and low <= value <= high
  if not fits or below is not None and not value < below:
    bounds = f'to {high:g}' if below is None else f'to below {below:g}'
    raise UserError(f'{what} must be a number, {low:g} {bounds}: {value!r}')


def count(what: str, value: Any, low: int) -> None:
  """Refuses what is no whole number of at least `low`.

  Raises:
    UserError: the value is no such number.
  """
  if type(value) is not int or value < low:
    raise UserError(
      f'{what} must be a whole number of at least {low}: {value!r}'
    )
