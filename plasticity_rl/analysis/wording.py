"""Numbers and tables as text."""

import math
from collections.abc import Sequence

_SIZES = {'E': 1e18, 'P': 1e15, 'T': 1e12, 'G': 1e9, 'M': 1e6, 'k': 1e3}


def short(value: float | None, digits: int = 3) -> str:
  """A number as a person would write it; a dash for None."""
  if value is None or math.isnan(value):
    return '-'
  if value == 0:
    return '0'
  decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
  return f'{value:,.{decimals}f}' if decimals < 7 else f'{value:.{digits - 1}e}'


def interval(effect: float, low: float | None, high: float | None) -> str:
  """A signed estimate and its bounds, with the digits its width deserves."""
  # NaN is how `statistics` says that a single seed has no interval.
  if low is None or high is None or math.isnan(low) or math.isnan(high):
    return f'{"+" if effect >= 0 else ""}{short(effect)}'
  decimals = places(low, high, effect)
  # Adding 0.0 turns the "-0" that rounding leaves into "0".
  mid, lo, hi = (
    f'{round(v, decimals) + 0.0:+,.{decimals}f}' for v in (effect, low, high)
  )
  return f'{mid} [{lo}, {hi}]'


def bounds(low: float, high: float) -> str:
  """The bounds of an interval; '' where there is none."""
  if math.isnan(low) or math.isnan(high):
    return ''
  return f'[{short(low)}, {short(high)}]'


def places(low: float, high: float, effect: float) -> int:
  """Decimals that leave two or three digits of an interval's width."""
  scale = (high - low) or abs(effect) or 1.0
  return min(8, max(0, 2 - math.ceil(math.log10(scale))))


def p_value(p: float) -> str:
  """For example 'p = 0.02'."""
  return 'p < 0.001' if p < 0.001 else f'p = {p:.2g}'


def about(low: int, high: int | None) -> str:
  """For example 'about 34 to 60'; None for no upper end."""
  if high is None:
    return f'about {low} or more'
  return f'about {low}' if high <= low else f'about {low} to {high}'


def prefixed(
  value: float, prefixes: str = 'PTGM', *, spec: str = '.3g', gap: str = ' '
) -> str:
  """A number with the largest of the prefixes that it reaches.

  Args:
    value: for example 2.5e9, which gives '2.5 G'.
    prefixes: by size, the largest first.
    spec: how digits are written.
    gap: between number and prefix.
  """
  for prefix in prefixes:
    if abs(value) >= _SIZES[prefix]:
      return f'{value / _SIZES[prefix]:{spec}}{gap}{prefix}'
  return f'{value:{spec}}'


def aligned(rows: Sequence[Sequence[str]], right_from: int = 99) -> str:
  """Rows as aligned columns, those from `right_from` on to the right."""
  widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
  return '\n'.join(
    '  '.join(
      cell.rjust(width) if i >= right_from else cell.ljust(width)
      for i, (cell, width) in enumerate(zip(row, widths, strict=True))
    ).rstrip()
    for row in rows
  )
