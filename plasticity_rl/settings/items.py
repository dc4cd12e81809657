"""Checks of the items of tuples in a config, `(path, tuple) -> None`.

Each raises a `UserError` that names the path, says what is expected, and shows
the item that is not.
"""

import json
from typing import Any

from plasticity_rl.errors import UserError
from plasticity_rl.errors import shown

# Steps and sizes are counted in 32 bits on the device.
LARGEST = 2**31 - 1


def texts(path: str, items: tuple[Any, ...]) -> None:
  """Each item is text."""
  for item in items:
    if type(item) is not str:
      raise UserError(f'config.{path} must hold text: {shown(item)}')


def sizes(path: str, items: tuple[Any, ...]) -> None:
  """Each item is a whole number of 1 or more."""
  for item in items:
    if not _is_size(item):
      raise UserError(
        f'config.{path} must hold positive whole numbers: {shown(item)}'
      )


def convolutions(path: str, items: tuple[Any, ...]) -> None:
  """Each item is (filters, kernel, stride)."""
  for item in items:
    if not (
      isinstance(item, tuple) and len(item) == 3 and all(map(_is_size, item))
    ):
      raise UserError(
        f'config.{path} must hold positive whole numbers, '
        f'(filters, kernel, stride) each: {shown(item)}'
      )


def interval(path: str, items: tuple[Any, ...]) -> None:
  """Two finite numbers, the lower one first."""
  if not (
    len(items) == 2
    and all(type(item) in (int, float) for item in items)
    and all(fits(item) for item in items)
    and items[0] < items[1]
  ):
    raise UserError(
      f'config.{path} must be (lowest, highest), finite numbers of 32 bits: '
      f'{shown(items)}'
    )


def pairs(path: str, items: tuple[Any, ...]) -> None:
  """Each item is (name, value)."""
  for item in items:
    if not (
      isinstance(item, tuple) and len(item) == 2 and type(item[0]) is str
    ):
      raise UserError(
        f'config.{path} must hold pairs (name, value): {shown(item)}'
      )


def fits(value: float) -> bool:
  """Whether a number has 32 bits: an int32, or a finite float32."""
  if type(value) is int:
    return abs(value) <= LARGEST
  return abs(value) < 2.0**127  # False for NaN.


def check_json(path: str, value: Any) -> None:
  """Refuses what a JSON file does not give back; keys of dicts are text.

  Args:
    path: dotted path of the value; '' for a whole config.
    value: the value; tuples count as lists.

  Raises:
    UserError: JSON has no such value.
  """
  if isinstance(value, dict):
    for key, item in value.items():
      if type(key) is not str:
        raise UserError(f'config.{path}: keys must be text: {shown(key)}')
      check_json(f'{path}.{key}' if path else key, item)
    return
  if isinstance(value, (list, tuple)):
    for item in value:
      check_json(path, item)
    return
  try:
    plain = value is None or type(value) in (bool, int, float, str)
    json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
  except (TypeError, ValueError):  # NaN, 4300 digits, half a letter.
    plain = False
  if not plain:
    raise UserError(
      f'config.{path} must hold only text, finite numbers, true or false, '
      f'None, and tuples or dicts of these: {shown(value)}'
    )


def _is_size(value: Any) -> bool:
  return type(value) is int and 1 <= value <= LARGEST
