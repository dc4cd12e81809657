"""Checks whether a replay fits into memory. Imports nothing heavy."""

import os

from plasticity_rl.errors import MissingDependencyError

# The fraction of the memory that replays may take.
_SHARE = 0.9


def of_host() -> int:
  """Bytes of this machine's memory that replays may take."""
  total = os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES')
  return int(_SHARE * total)


def of_device(limit: int) -> int:
  """Bytes that replays may take on a device with `limit` bytes."""
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
  """Refuses a replay that needs more memory than is available.

  Args:
    capacity: transitions in the replay.
    available: bytes.
    transition: bytes of each transition.
    fixed: bytes that do not depend on the capacity.
    multiple: the suggested capacity is a multiple of this.
    hint: what else would help; ends the message.

  Raises:
    MissingDependencyError: it does not fit; the message has the largest
      capacity that does.
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
