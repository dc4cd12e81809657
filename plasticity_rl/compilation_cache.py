"""Chooses where JAX keeps compiled programs, so that later runs reuse them.

The choice is made by environment variables: they can be set before JAX is
imported, and the processes that a launcher starts inherit them.

The folder has no size limit. JAX can limit it (jax_compilation_cache_max_size),
but then lists the whole folder at every write, which takes 0.2 s with 2000
programs in it, and fails on programs that were written without a limit. It is
safe to delete the folder at any time.
"""

import hashlib
import importlib.metadata
import os
import pathlib
import platform
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import NamedTuple

from plasticity_rl import errors

AUTO, OFF = 'auto', 'off'
_FOLDER = 'JAX_COMPILATION_CACHE_DIR'
_ENABLED = 'JAX_ENABLE_COMPILATION_CACHE'
# Folders inside the user's cache folder.
_OURS = ('plasticity_rl', 'jax')
_LEAST_SECONDS = 'JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS'
_NEVER = '1e9'  # Seconds that no program compiles.
# From this version on, jaxlib was seen to crash when it read an entry.
_CRASHES = (0, 12)


class Choice(NamedTuple):
  """The choice for `auto`.

  Attributes:
    folder: of the cache; None for no cache.
    why: the reason for this choice.
  """

  folder: pathlib.Path | None
  why: str


def _processor() -> str:
  """A short hash of the CPU's model and its instruction sets.

  Machines with different processors may share a home folder, and a program that
  was compiled for one may crash on another.
  """
  try:
    text = pathlib.Path('/proc/cpuinfo').read_text()
  except OSError:  # Not Linux.
    text = ''
  words = re.findall(r'^(?:model name|flags|Features)\s*:.*$', text, re.M)
  known = [platform.machine(), platform.processor(), *sorted(set(words))]
  return hashlib.sha256('\n'.join(known).encode()).hexdigest()[:8]


def is_writable(path: pathlib.Path) -> bool:
  """Whether this process can write to a folder, or create it."""
  try:
    while not path.exists() and path != path.parent:
      path = path.parent
    return path.is_dir() and os.access(path, os.W_OK | os.X_OK)
  except OSError:  # Such as a name that is too long.
    return False


def _is_given(environ: Mapping[str, str]) -> bool:
  """Whether the user chose a folder, rather than `start` in a parent process.

  A worker inherits the choice of its launcher, which may run on another
  machine. So the worker chooses again, for its own processor.
  """
  if _FOLDER not in environ:
    return False
  return pathlib.Path(environ[_FOLDER]).parts[-3:-1] != _OURS


def choose(environ: Mapping[str, str] | None = None) -> Choice:
  """The folder that `auto` chooses on this machine, and the reason."""
  environ = os.environ if environ is None else environ
  if environ.get(_ENABLED, '1').lower() in ('0', 'false', 'no', 'off', 'n'):
    return Choice(None, f'{_ENABLED} is {environ[_ENABLED]}')
  if _is_given(environ):
    given = environ[_FOLDER]
    return Choice(pathlib.Path(given) if given else None, f'{_FOLDER} is set')
  try:
    version = importlib.metadata.version('jaxlib')
  except importlib.metadata.PackageNotFoundError:
    return Choice(None, 'there is no jaxlib')
  if tuple(map(int, re.findall(r'\d+', version)[:2])) >= _CRASHES:
    return Choice(None, f'jaxlib {version} may crash on reading it')
  try:
    home = pathlib.Path(environ.get('XDG_CACHE_HOME') or '~/.cache')
    folder = home.expanduser().joinpath(*_OURS, _processor())
    if not is_writable(folder):
      return Choice(None, f'{folder} cannot be written')
  except (OSError, RuntimeError) as error:  # No home, or one out of reach.
    return Choice(None, errors.one_line(error))
  return Choice(folder, 'by default')


def describe(environ: Mapping[str, str] | None = None) -> str:
  """One line on the cache that `auto` chooses, and on its size."""
  folder, why = choose(environ)
  if folder is None:
    return f'off: {why}'
  if not is_writable(folder):
    return f'{folder} cannot be written; set {_FOLDER} to another folder'
  sizes = [path.stat().st_size for path in folder.glob('*-cache')]
  size = f'{len(sizes)} programs, {sum(sizes) / 1e6:.0f} MB'
  return f'{size} in {folder} (may be deleted)'


def _check_given(environ: MutableMapping[str, str]) -> None:
  """Tells of a folder that cannot be written; jax would at every program."""
  folder = environ[_FOLDER]
  if not folder or '://' in folder or is_writable(pathlib.Path(folder)):
    return
  if os.path.isdir(folder):
    environ[_LEAST_SECONDS] = _NEVER
    what = 'programs are only read from it'
  else:
    environ[_ENABLED] = '0'
    what = 'programs are not kept'
  text = f'{_FOLDER}: {folder} cannot be written: {what}'
  print(f'note: {text}', file=sys.stderr)


def start(
  chosen: str = AUTO, environ: MutableMapping[str, str] | None = None
) -> None:
  """Turns the cache on or off. Call it before jax is imported.

  Args:
    chosen: `auto`, `off`, or a folder.
    environ: changed in place; by default the environment of this process.

  Raises:
    UserError: the folder cannot be written.
  """
  environ = os.environ if environ is None else environ
  if chosen == OFF:
    environ[_ENABLED] = '0'
    return
  folder: pathlib.Path | str | None
  if chosen == AUTO:
    if _is_given(environ):
      _check_given(environ)
      return
    environ.pop(_FOLDER, None)
    folder = choose(environ).folder
    if folder is None:
      return
  elif '://' in chosen:  # A bucket.
    folder = chosen
  else:
    folder = pathlib.Path(chosen).expanduser().absolute()
    if not is_writable(folder):
      raise errors.UserError(
        f'--compilation_cache: {str(folder)!r} cannot be written'
      )
  if chosen != AUTO:
    environ[_ENABLED] = '1'
  environ[_FOLDER] = str(folder)
  # JAX's default is one second; most programs here compile faster.
  environ.setdefault(_LEAST_SECONDS, '0.1')
