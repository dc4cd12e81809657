"""Whether claims were decided before their runs, and stayed as they were.

The launcher writes a stamp of the study's file into `study.json` when it first
makes the folder; the report holds it against the file as it is now.
"""

import hashlib
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from plasticity_rl import revision

KEY = 'decided'  # In study.json.


class Decided(NamedTuple):
  """When the file of some claims was last changed.

  Attributes:
    commit: that changed it last, as it is now; None if git knows none.
    doubts: what is wrong with saying that it was decided before the runs.
  """

  commit: revision.Commit | None
  doubts: tuple[str, ...]


def stamp(path: pathlib.Path, claims: Sequence[object]) -> dict[str, Any]:
  """What is kept of a file when its runs begin."""
  commit = revision.of_file(path)
  return {
    'sha256': _digest(path),
    'commit': commit.revision if commit else '',
    'claims': [repr(claim) for claim in claims],
  }


def compare(
  before: Mapping[str, Any] | None, path: pathlib.Path, claims: Sequence[object]
) -> Decided:
  """Holds a stamp against the file as it is now.

  Args:
    before: the stamp; None if the runs have none.
    path: of the file.
    claims: of the file.
  """
  commit = revision.of_file(path)
  if before is None:
    return Decided(commit, ('its runs began before it had claims',))
  doubts = []
  if before['claims'] != [repr(claim) for claim in claims]:
    doubts.append('its claims were changed after its runs began')
  elif before['sha256'] != _digest(path):
    doubts.append('its file was changed after its runs began, but no claim')
  if not before['commit']:
    doubts.append('its file was not committed when its runs began')
  return Decided(commit, tuple(doubts))


def _digest(path):
  return hashlib.sha256(path.read_bytes()).hexdigest()
