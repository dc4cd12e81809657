"""Aged checkpoints by name: those of the package, and those made here.

A folder of checkpoints has a zip file for each and an `index.json`, which says
by name the digest of the file and what made it. Nothing here imports jax.
"""

import atexit
import dataclasses
import functools
import json
import os
import pathlib
import shutil
import tempfile
from collections.abc import Mapping
from typing import Any

from plasticity_rl import errors
from plasticity_rl import paths
from plasticity_rl.aged import archive
from plasticity_rl.aged.names import ABOUT
from plasticity_rl.errors import UserError
from plasticity_rl.run import run_folder

PREFIX = 'checkpoint:'
INDEX = 'index.json'
SHIPPED = pathlib.Path(__file__).parent / 'shipped'


@dataclasses.dataclass(frozen=True)
class Aged:
  """An aged checkpoint in one of the folders.

  Attributes:
    name: of the checkpoint.
    path: of its zip file.
    sha256: the digest that was recorded when it was made.
    step: of the run that it was taken from.
    seeds: how many it holds.
    made_by: the versions, the commit and the command that made it.
  """

  name: str
  path: pathlib.Path
  sha256: str
  step: int
  seeds: int
  made_by: Mapping[str, str]

  def problem(self) -> str:
    """What is wrong with the file; '' if it is as it was made."""
    if not self.path.is_file():
      return 'is missing'
    if archive.digest(self.path) != self.sha256:
      return 'has changed since it was made'
    return ''

  def origin(self) -> str:
    """What made it, in a line."""
    return ', '.join(f'{name} {value}' for name, value in self.made_by.items())


def made_here() -> pathlib.Path:
  """The folder of the checkpoints that this user has made."""
  cache = os.environ.get('XDG_CACHE_HOME') or '~/.cache'
  try:
    home = pathlib.Path(cache).expanduser()
  except RuntimeError:  # A user without a home.
    home = pathlib.Path(tempfile.gettempdir())
  return home / 'plasticity_rl' / 'checkpoints'


def read_index(folder: pathlib.Path) -> dict[str, Aged]:
  """The checkpoints of a folder by name; none if it has no index.

  Raises:
    UserError: the index is damaged.
  """
  path = folder / INDEX
  if not path.is_file():
    return {}
  try:
    return {
      name: Aged(name, folder / f'{name}.zip', **facts)
      for name, facts in json.loads(path.read_text()).items()
    }
  except (OSError, ValueError, TypeError, AttributeError):
    raise UserError(
      f'{path} is damaged: delete it, or install the package again'
    ) from None


def put(folder: pathlib.Path, name: str, **facts: Any) -> None:
  """Enters a checkpoint into the index of a folder; see `Aged`."""
  known = {
    one.name: dataclasses.asdict(one) for one in read_index(folder).values()
  }
  for entry in known.values():
    del entry['name'], entry['path']
  text = json.dumps({**known, name: facts}, indent=2, sort_keys=True)
  run_folder.write_atomically(folder / INDEX, text + '\n')


def find(name: str) -> Aged | None:
  """A checkpoint by its name: an intact one before one that is not.

  Returns:
    None if it was not made yet.

  Raises:
    UserError: there is no checkpoint of that name; the message names all.
  """
  if name not in ABOUT:
    raise UserError(errors.nearest('checkpoint', name, ABOUT))
  found = [read_index(folder).get(name) for folder in (SHIPPED, made_here())]
  there = [one for one in found if one is not None]
  return next((one for one in there if not one.problem()), None) or next(
    iter(there), None
  )


def is_named(text: object) -> bool:
  """Whether a source is `checkpoint:NAME`."""
  return isinstance(text, str) and text.startswith(PREFIX)


def intact(name: str) -> Aged:
  """A checkpoint whose file is as it was made.

  Raises:
    UserError: it is unknown, was not made yet, or has changed.
  """
  one = find(name)
  make = f'`plasticity-rl checkpoints make {name}`'
  if one is None:
    about = ABOUT[name]
    raise UserError(
      f'checkpoint {name!r} does not come with the package ({about}): {make} '
      'makes it'
    )
  if problem := one.problem():
    raise UserError(
      f'checkpoint {name!r}: {one.path} {problem}; {make} makes another'
    )
  return one


def source(flag: str, text: str | os.PathLike[str]) -> pathlib.Path:
  """The run folder that a user names, by a path or by `checkpoint:NAME`.

  A checkpoint is verified, and unpacked for the time of this process.

  Args:
    flag: of the command, for the message.
    text: what the user gave.

  Raises:
    UserError: it cannot be a path, or there is no intact checkpoint so named.
  """
  if isinstance(text, str) and is_named(text):
    one = intact(text.removeprefix(PREFIX))
    return _unpacked(one.path, one.sha256)
  return paths.given(flag, text)


@functools.cache
def _unpacked(path: pathlib.Path, sha256: str) -> pathlib.Path:
  del sha256  # Another file, another folder.
  folder = pathlib.Path(tempfile.mkdtemp(prefix='plasticity_rl-'))
  atexit.register(shutil.rmtree, folder, ignore_errors=True)
  archive.unpack(path, folder / path.stem)
  return folder / path.stem
