"""Declares a setting in one place: its type, default, range and choices."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from plasticity_rl import errors


class Limits(NamedTuple):
  """The valid values of a setting.

  Attributes:
    low: the lowest value, inclusive; None for no limit.
    high: the highest value, inclusive; None for no limit.
    choices: the valid values; () for any value.
    items: checks the items of a tuple, `(path, tuple)`; see `items.py`.
  """

  low: float | None = None
  high: float | None = None
  choices: tuple[Any, ...] = ()
  items: Callable[[str, tuple[Any, ...]], None] | None = None

  def check(self, path: str, value: Any) -> None:
    """Refuses a value that is not valid.

    Args:
      path: the setting's dotted path, for the message.
      value: the value in the config.

    Raises:
      UserError: the value is out of range, is not one of the choices, or has
        an item that is not valid.
    """
    low, high = self.low, self.high
    # Written so that a NaN is refused.
    if (low is not None and not value >= low) or (
      high is not None and not value <= high
    ):
      bounds = f'at least {low}' if high is None else f'{low} to {high}'
      raise errors.UserError(
        f'config.{path} must be {bounds}: {errors.shown(value)}'
      )
    if self.choices and value not in self.choices:
      raise errors.UserError(
        errors.nearest(f'config.{path}', value, self.choices)
      )
    if self.items is not None:
      self.items(path, value)


def setting(
  default: Any,
  *,
  low: float | None = None,
  high: float | None = None,
  choices: tuple[Any, ...] = (),
  items: Callable[[str, tuple[Any, ...]], None] | None = None,
) -> Any:
  """A field of a settings class with its limits; see `Limits`."""
  return dataclasses.field(
    default=default, metadata={'limits': Limits(low, high, choices, items)}
  )


def limits(sections: Mapping[str, type]) -> dict[str, Limits]:
  """The limits of all settings that have limits, by dotted path.

  Args:
    sections: the class of each section; '' for settings outside of sections.

  Returns:
    For example `{'replay.capacity': Limits(low=1)}`.
  """
  return {
    f'{section}.{field.name}' if section else field.name: field.metadata[
      'limits'
    ]
    for section, kind in sections.items()
    for field in dataclasses.fields(kind)
    if 'limits' in field.metadata
  }
