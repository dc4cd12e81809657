"""The folder of a diagnosis: the run before the fork, and its arms."""

import os
import pathlib

PREFIX, ARMS = 'prefix', 'arms'


def arms(folder: str | os.PathLike[str]) -> dict[str, pathlib.Path]:
  """The folders of a diagnosis's arms by name, sorted; empty for others.

  Hidden folders are left out: Jupyter leaves some.
  """
  path = pathlib.Path(folder) / ARMS
  if not path.is_dir():
    return {}
  return {
    p.name: p
    for p in sorted(path.iterdir())
    if p.is_dir() and not p.name.startswith('.')
  }
