"""`config.environment.arguments`: what it may hold, and its form in JSON.

A callable of the user gets them as they were given, also in a run that was
resumed or forked, whose config was read from JSON. JSON has neither tuples nor
keys that are no text: there a tuple is a list, a list `{"!list": [...]}` and a
dict `{"!dict": [[key, value], ...]}`.
"""

import math
from typing import Any

from plasticity_rl.errors import UserError
from plasticity_rl.errors import shown

PATH = 'environment.arguments'
_SCALARS = (bool, int, float, str)
_LIST, _DICT = '!list', '!dict'


def resolve(value: Any) -> tuple[Any, ...]:
  """Checks the arguments of a config.

  Args:
    value: a tuple; or a list, which is a tuple in the form of JSON.

  Returns:
    The arguments, made of new containers.

  Raises:
    UserError: they hold something else than numbers, text, None, tuples, lists
      and dicts of those.
  """
  if isinstance(value, list):
    return tuple(_from_json(one) for one in value)
  if not isinstance(value, tuple):
    raise UserError(f'config.{PATH} must be a tuple: {value!r}')
  try:
    return tuple(_checked(one, f'{PATH}[{i}]') for i, one in enumerate(value))
  except RecursionError:
    raise UserError(
      f'config.{PATH} contains itself, or is nested too deeply'
    ) from None


def to_json(arguments: tuple[Any, ...]) -> Any:
  """The form from which `resolve` makes these arguments, also through JSON."""
  if all(one is None or isinstance(one, _SCALARS) for one in arguments):
    return arguments
  return [_to_json(one) for one in arguments]


def _checked(value: Any, where: str) -> Any:
  kind = type(value)
  if kind is float and not math.isfinite(value):
    raise UserError(f'config.{where} must be a finite number: {value!r}')
  if value is None or kind in _SCALARS:
    return value
  if kind in (tuple, list):
    return kind(_checked(one, f'{where}[{i}]') for i, one in enumerate(value))
  if kind is dict:
    for key in value:
      if key is not None and type(key) not in _SCALARS:
        raise UserError(
          f'config.{where} has the key {key!r} ({_name(key)}): keys must be '
          'text, numbers or None'
        )
    return {k: _checked(v, f'{where}[{k!r}]') for k, v in value.items()}
  raise UserError(
    f'config.{where} is {shown(value, 60)} '
    f'({_name(value)}): arguments are numbers, text, None, tuples, lists and '
    f'dicts{_instead(value)}'
  )


def _instead(value: Any) -> str:
  """What to give instead of a value of another kind."""
  if hasattr(value, '__fspath__'):
    return '; give str(path)'
  if hasattr(value, 'tolist'):  # Of numpy; array.item() may be a number.
    return '; give value.tolist()'
  if isinstance(value, (set, frozenset)):
    return '; give a tuple'
  return '; let a callable of your own make others'


def _name(value: Any) -> str:
  kind = type(value)
  module = '' if kind.__module__ == 'builtins' else f'{kind.__module__}.'
  return f'{module}{kind.__qualname__}'


def _to_json(value: Any) -> Any:
  if isinstance(value, tuple):
    return [_to_json(one) for one in value]
  if isinstance(value, list):
    return {_LIST: [_to_json(one) for one in value]}
  if isinstance(value, dict):
    return {_DICT: [[k, _to_json(v)] for k, v in value.items()]}
  return value


def _from_json(value: Any) -> Any:
  if isinstance(value, (list, tuple)):
    return tuple(_from_json(one) for one in value)
  if isinstance(value, dict):
    if set(value) == {_LIST}:
      return [_from_json(one) for one in value[_LIST]]
    if set(value) == {_DICT}:
      return {k: _from_json(v) for k, v in value[_DICT]}
    # Of an earlier version.
    return {k: _from_json(v) for k, v in value.items()}
  return value
