"""The figure function of the file that a study was launched from."""

import pathlib
from collections.abc import Callable
from typing import Any

from plasticity_rl import config_files
from plasticity_rl import errors
from plasticity_rl.analysis import files
from plasticity_rl.analysis.study import study


def figure(
  folder: str | pathlib.Path,
) -> tuple[Callable[[study.StudyResults], Any] | None, str]:
  """The function, or None; and what the reader should know of it.

  The file is looked for where it was launched from, as commands name it.
  """
  source = str(files.read_json(pathlib.Path(folder) / study.STUDY)['source'])
  try:
    config_files.find(source)
  except errors.UserError:
    missing = config_files.split(source)[0]
    return None, (
      f"The study's file, {missing}, is not here: this is the figure of studies"
      ' in general.'
    )
  try:
    module = config_files.load(source)
  except errors.UserError as error:
    return None, f"The study's file does not load: {error}"
  return getattr(module, 'figure', None), ''
