"""The folder of a run: its config, its lock, and the origin of its results."""

import contextlib
import fcntl
import importlib.metadata
import json
import os
import pathlib
import platform
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from plasticity_rl import process
from plasticity_rl import revision
from plasticity_rl import settings as settings_lib
from plasticity_rl.distributed import hosts
from plasticity_rl.errors import RunError
from plasticity_rl.errors import UserError
from plasticity_rl.settings import arguments

CONFIG = 'config.json'
_PACKAGES = (
  'jax',
  'jaxlib',
  'dm-haiku',
  'optax',
  'rlax',
  'chex',
  'numpy',
  'scipy',
  'orbax-checkpoint',
  'pgx',
  # Others' environments on the device.
  'brax',
  'continual-foragax',
  'craftax',
  'gymnax',
  'jaxtari',
  'octax',
  'playground',
)
# Sections that may change between commands: they do not change any result.
_IGNORED = ('log',)


def write_atomically(path: pathlib.Path, text: str) -> None:
  """Writes a file under a temporary name, then renames it."""
  temporary = path.with_name(f'.{path.name}.{os.getpid()}')
  try:
    temporary.write_text(text)
    os.replace(temporary, path)
  finally:
    temporary.unlink(missing_ok=True)


def prepare(folder: pathlib.Path, settings: settings_lib.Settings) -> None:
  """Creates the folder of a run, or checks that it belongs to this config.

  With several hosts, the first one creates it, and the others must see it.

  Raises:
    UserError: the folder holds a run of another config or other files, it
      cannot be written, or the hosts do not share it.
  """
  if hosts.is_first():
    _prepare(folder, settings)
  hosts.all_gather_object('folder', None)
  if not (folder / CONFIG).exists():
    raise UserError(
      f'{folder} on this host is not the folder of the first host: --workdir '
      'must be a folder that all hosts share'
    )


def _prepare(folder, settings):
  path = folder / CONFIG
  if path.exists():
    differ = differences(read_config(folder), settings)
    if differ:
      raise UserError(
        f'{folder} holds a run of another config; they differ in '
        f'{"; ".join(differ)}: choose another --workdir, or the same config'
      )
    return
  if folder.exists() and not folder.is_dir():
    raise UserError(f'{folder} is a file: choose another --workdir')
  # A process that was killed at its start may have left a temporary config.
  if folder.exists() and any(
    not path.name.startswith(f'.{CONFIG}.') for path in folder.iterdir()
  ):
    raise UserError(
      f'{folder} is neither empty nor a run (it has no {CONFIG}): choose '
      'another --workdir'
    )
  try:
    folder.mkdir(parents=True, exist_ok=True)
    config = settings_lib.to_dict(settings)
    write_atomically(
      path,
      json.dumps({'config': config, **origin()}, indent=2, allow_nan=False),
    )
  except OSError as error:
    raise UserError(f'cannot write to {folder}: {error}') from None


def differences(
  recorded: Mapping[str, Any], settings: settings_lib.Settings
) -> list[str]:
  """Compares a recorded config with settings.

  A setting that the recorded config lacks, because an earlier version wrote it,
  has its default. Settings that do not change results are ignored.

  Returns:
    The differences, each as 'key (there 1, here 2)'.

  Raises:
    UserError: the recorded config is not valid.
  """
  before = flat(settings_lib.resolve(recorded))
  # Through JSON, where a tuple is a list.
  before, now = json.loads(json.dumps([before, flat(settings)]))
  if _is_of_earlier_version(recorded, settings):
    before[arguments.PATH] = now[arguments.PATH]
  return [
    f'{key} (there {before.get(key)!r}, here {now.get(key)!r})'
    for key in dict.fromkeys([*before, *now])
    if before.get(key) != now.get(key)
  ]


def _is_of_earlier_version(recorded, settings):
  """Whether an earlier version would have written the arguments of a run so.

  It wrote plain JSON, in which keys become text.
  """
  before = recorded.get('environment', {}).get('arguments')
  given = settings.environment_options.get('arguments')
  return bool(given) and before == json.loads(json.dumps(given))


@contextlib.contextmanager
def lock(folder: pathlib.Path) -> Iterator[None]:
  """Locks a run folder against other processes.

  Two processes would mix their rows and checkpoints. The lock is on the file of
  the config; the system removes it when the process ends. On a file system
  without locks, nothing is checked.

  Raises:
    UserError: the folder cannot be written.
    RunError: another process is running it.
  """
  path = folder / CONFIG
  if not hosts.is_first() or not path.exists():
    yield
    return
  try:
    file = path.open('r+')
  except OSError as error:  # Another user may own it.
    raise UserError(f'cannot write to {folder}: {error}') from None
  with file:
    try:
      fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
      raise RunError(
        f'another process is running {folder} at this moment: wait for it, '
        'or choose another --workdir'
      ) from None
    except OSError:  # No locks here.
      pass
    yield


def flat(settings: settings_lib.Settings) -> dict[str, Any]:
  """The config by dotted key, without settings that do not change results."""
  config = settings_lib.to_dict(settings)
  return dict(_flat({k: v for k, v in config.items() if k not in _IGNORED}))


def _flat(tree, prefix=''):
  for key, value in tree.items():
    if isinstance(value, Mapping):
      yield from _flat(value, f'{prefix}{key}.')
    else:
      yield f'{prefix}{key}', value


def read_config(folder: pathlib.Path) -> dict[str, Any]:
  """The resolved config of a run folder.

  Raises:
    UserError: it is not a run folder, or its config is damaged.
  """
  path = folder / CONFIG
  if not path.exists():
    raise UserError(f'{folder} is not a run folder: it has no {CONFIG}')
  try:
    return json.loads(path.read_text())['config']
  except (ValueError, KeyError, TypeError):
    raise UserError(f'{path} is damaged: it is not a config') from None


def origin() -> dict[str, Any]:
  """The origin of results: versions, git revision, command, machine..."""
  versions = {'python': platform.python_version()}
  for package in _PACKAGES:
    try:
      versions[package] = importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
      continue
  return {
    'versions': versions,
    'git_revision': revision.of_code(),
    'command': _command(),
    'machine': (
      f'{platform.system()} {platform.machine()}, {os.cpu_count()} cores'
    ),
    'process': process.describe(),
  }


def _command():
  main = sys.modules.get('__main__')
  spec = getattr(main, '__spec__', None)
  program = f'python -m {spec.name}' if spec else pathlib.Path(sys.argv[0]).name
  return ' '.join([program, *sys.argv[1:]])
