"""Checks single values that users' environments return."""

import numbers
import reprlib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

_LARGEST = float(np.finfo(np.float32).max)


class UnfitError(ValueError):
  """A value that is not what it should be."""

  def __init__(self, found: str, expected: str):
    """Describes what came and what was expected."""
    super().__init__(f'{found}; expected {expected}')


def described(value: Any) -> str:
  """A value in a few words: for example 'a tuple of 4'."""
  # Arrays of other packages too, whose values may be unknown yet.
  if hasattr(value, 'dtype') and getattr(value, 'shape', ()):
    return f'an array of shape {tuple(value.shape)} and dtype {value.dtype}'
  if isinstance(value, (tuple, list)):
    return f'a {type(value).__name__} of {len(value)}'
  if value is None:
    return 'None'
  text = ' '.join(reprlib.repr(value).split())
  return f'{text} ({type(value).__name__})'


def number(value: Any, expected: str) -> float:
  """A finite real number, or an array of a single one.

  Raises:
    UnfitError: it is something else, or beyond the range of float32.
  """
  if isinstance(value, numbers.Real):
    found: Any = value
  else:
    array = _array(value, expected, '')
    if array.size != 1:
      raise UnfitError(described(value), expected)
    found = array.reshape(())[()]
  try:
    result = float(found)
  except OverflowError:
    raise UnfitError(described(value), expected) from None
  if not abs(result) <= _LARGEST:  # Refuses NaN too.
    raise UnfitError(described(value), expected)
  return result


def whole_number(value: Any, low: int, high: int, where: str = '') -> int:
  """A whole number from `low` to `high`, or an array of a single one.

  Raises:
    UnfitError: it is something else.
  """
  expected = f'a whole number from {low} to {high}'
  array = _array(value, expected, where)
  if (
    array.size != 1
    or array.dtype.kind not in 'biu'
    or not (low <= int(array.reshape(())) <= high)
  ):
    raise UnfitError(f'{described(value)}{_at(where)}', expected)
  return int(array.reshape(()))


def of_shape(value: Any, shape: tuple[int, ...], where: str = '') -> np.ndarray:
  """An array of real numbers of that shape.

  Axes of length 1 may be missing or added: they change no order.

  Raises:
    UnfitError: it is something else.
  """
  expected = f'an array of shape {tuple(shape)}'
  array = _array(value, expected, where)
  if array.shape != shape:
    if [n for n in array.shape if n != 1] != [n for n in shape if n != 1]:
      raise UnfitError(f'{described(array)}{_at(where)}', expected)
    array = array.reshape(shape)
  return array


def has_keys(value: Any, keys: Iterable[Any], where: str = '') -> None:
  """Checks that a value is a dict with these keys, and perhaps others.

  Raises:
    UnfitError: it is not.
  """
  wanted = list(keys)
  if isinstance(value, Mapping) and all(key in value for key in wanted):
    return
  found = described(value)
  if isinstance(value, Mapping):
    found = f'a dict with the keys {list(value)}'
  raise UnfitError(f'{found}{_at(where)}', f'a dict with the keys {wanted}')


def float32(array: np.ndarray) -> np.ndarray:
  """The array in float32.

  Raises:
    UnfitError: a number is not finite in float32.
  """
  with np.errstate(over='ignore'):
    result = np.asarray(array).astype(np.float32)
  if not np.isfinite(result).all():
    bad = np.ravel(array)[np.flatnonzero(~np.isfinite(result))[0]]
    raise UnfitError(
      f'an array with the number {bad}', 'finite numbers of float32'
    )
  return result


def uint8(array: np.ndarray) -> np.ndarray:
  """The array in uint8.

  Raises:
    UnfitError: it does not hold whole numbers from 0 to 255.
  """
  if array.dtype == np.uint8:
    return array
  if array.dtype.kind not in 'biu' or array.min() < 0 or array.max() > 255:
    raise UnfitError(
      f'{described(array)}, from {array.min()} to {array.max()}',
      'uint8, as its space says',
    )
  return array.astype(np.uint8)


def _array(value: Any, expected: str, where: str) -> np.ndarray:
  """An array of real numbers of any shape."""
  try:
    array = np.asarray(value)
  except (TypeError, ValueError):  # Lists of unequal lengths, for example.
    raise UnfitError(f'{described(value)}{_at(where)}', expected) from None
  if array.dtype.kind not in 'biuf' or np.ma.is_masked(value):
    raise UnfitError(f'{described(value)}{_at(where)}', expected)
  return array


def _at(where: str) -> str:
  return f' at {where}' if where else ''
