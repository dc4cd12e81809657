"""The file that a study was launched from: its figure, and what it claims."""

import pathlib
from collections.abc import Callable
from typing import Any, NamedTuple

from plasticity_rl import config_files
from plasticity_rl import errors
from plasticity_rl.analysis import files
from plasticity_rl.analysis.study import claims as claims_lib
from plasticity_rl.analysis.study import decided as decided_lib
from plasticity_rl.analysis.study import study as studies


class StudyFile(NamedTuple):
  """What a study's file says of its results.

  Attributes:
    figure: what draws the answer, or None.
    claims: that it has decided on beforehand.
    decided: when these were, or None without claims.
    note: what the reader should know of the file; '' if nothing.
  """

  figure: Callable[[studies.StudyResults], Any] | None = None
  claims: tuple[claims_lib.Claim, ...] = ()
  decided: decided_lib.Decided | None = None
  note: str = ''


def read(folder: str | pathlib.Path) -> StudyFile:
  """Reads the file of a study's folder.

  The file is looked for where it was launched from, as commands name it.
  """
  record = files.read_json(pathlib.Path(folder) / studies.STUDY)
  source = str(record['source'])
  try:
    path = config_files.find(source)
  except errors.UserError:
    missing = config_files.split(source)[0]
    return StudyFile(
      note=f"The study's file, {missing}, is not here: this is the figure of "
      'studies in general.'
    )
  try:
    module = config_files.load(source)
    claims = claims_lib.listed(module, source)
  except errors.UserError as error:
    return StudyFile(note=f"The study's file does not load: {error}")
  decided = None
  if claims:
    decided = decided_lib.compare(record.get(decided_lib.KEY), path, claims)
  return StudyFile(getattr(module, 'figure', None), claims, decided)


def judge(
  file: StudyFile, study: studies.StudyResults
) -> tuple[claims_lib.Judged, ...]:
  """Decides on the claims of a study's file.

  Args:
    file: the file.
    study: its results, of its own metric; read again for claims about others.
  """
  read_of = {'': study}
  for claim in file.claims:
    if claim.metric not in read_of:
      read_of[claim.metric] = studies.load(study.path, metric=claim.metric)
  return tuple(claims_lib.judge(c, read_of[c.metric]) for c in file.claims)
