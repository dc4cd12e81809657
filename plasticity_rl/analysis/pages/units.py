"""Numbers with a prefix of the SI."""

_SIZES = {'E': 1e18, 'P': 1e15, 'T': 1e12, 'G': 1e9, 'M': 1e6, 'k': 1e3}


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
