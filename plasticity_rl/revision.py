"""What git knows of the code, and of a file."""

import functools
import pathlib
import subprocess
from typing import NamedTuple

UNKNOWN = 'unknown'


class Commit(NamedTuple):
  """A commit: its hash, and when it was made, as ISO 8601."""

  revision: str
  when: str


@functools.cache  # Every checkpoint records it, and git is slow.
def of_code() -> str:
  """The commit of this package, and whether it was changed since."""
  here = pathlib.Path(__file__).parent
  try:
    dirty = _git(here, 'status', '--porcelain', '--untracked-files=no')
    return _git(here, 'rev-parse', 'HEAD') + (' (changed)' if dirty else '')
  except (OSError, subprocess.SubprocessError):
    return UNKNOWN


def of_file(path: pathlib.Path) -> Commit | None:
  """The last commit that changed a file; None if it was changed since.

  Of a file that git does not know, None as well.
  """
  path = path.resolve()
  try:
    if _git(path.parent, 'status', '--porcelain', '--', path.name):
      return None
    found = _git(path.parent, 'log', '-1', '--format=%H %cI', '--', path.name)
  except (OSError, subprocess.SubprocessError):
    return None
  return Commit(*found.split()) if found else None


def _git(folder: pathlib.Path, *words: str) -> str:
  return subprocess.run(
    ['git', *words],
    cwd=folder,
    capture_output=True,
    text=True,
    timeout=10,
    check=True,
  ).stdout.strip()
