"""Whether a replay fits into memory; imports nothing heavy."""

import os

from plasticity_rl.errors import MissingDependencyError

# Of the machine's memory, what replays may take.
_SHARE = 0.9


def of_host() -> int:
  """Bytes of this machine that replays may take."""
  total = os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES')
  return int(_SHARE * total)


def of_device(limit: int) -> int:
  """The same of a device with so many bytes."""
  return int(_SHARE * limit)


def check(
  capacity: int,
  available: int,
  *,
  transition: float,
  fixed: int = 0,
  multiple: int = 1,
  hint: str = '',
) -> None:
  """Refuses a replay that takes more than is available; says what would fit.

  Args:
    capacity: transitions of it.
    available: bytes.
    transition: bytes of one.
    fixed: bytes that any replay takes.
    multiple: capacities are multiples of it.
    hint: what else would help.

  Raises:
    MissingDependencyError: with the largest capacity for that memory.
  """
  needed = fixed + int(capacity * transition)
  if needed <= available:
    return
  fits = max(0, int((available - fixed) / transition))
  fits -= fits % multiple
  raise MissingDependencyError(
    f'a replay of {capacity} transitions needs about '
    f'{needed / 1e9:.3g} GB of memory, of which {available / 1e9:.3g} GB '
    f'may be used; {fits} transitions would fit{hint}'
  )
