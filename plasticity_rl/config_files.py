"""Finds config files by their path or by the name of an installed config."""

import importlib.util
import pathlib
from types import ModuleType

from plasticity_rl import configs
from plasticity_rl import errors
from plasticity_rl import paths


def names() -> dict[str, pathlib.Path]:
  """All installed configs by name, for example `studies/when_to_inject`."""
  (folder,) = configs.__path__
  root = pathlib.Path(folder)
  found = {}
  for path in sorted(root.rglob('*.py')):
    text = path.read_text()
    # Skips modules that several studies share.
    if 'def get_config(' in text:
      found[path.relative_to(root).with_suffix('').as_posix()] = path
  return found


def split(source: str) -> tuple[str, str]:
  """Splits FILE:VARIANT into 'FILE' and ':VARIANT' (or '')."""
  path, colon, variant = source.partition(':')
  return path, colon + variant


def find(source: str) -> pathlib.Path:
  """Finds the file of FILE, NAME, FILE:VARIANT or NAME:VARIANT.

  A file of that path takes precedence over an installed config.

  Raises:
    UserError: there is neither a file nor a config of that name.
  """
  wanted = split(source)[0]
  path = paths.given('--config', wanted)
  if path.is_file():
    return path
  known = names()
  if wanted in known:
    return known[wanted]
  name = wanted.removeprefix('configs/').removesuffix('.py')
  raise errors.UserError(
    f'there is no config file {wanted!r}; '
    + errors.nearest('config', name, known)
  )


def load(source: str) -> ModuleType:
  """Imports the file of a source; see `find`.

  Raises:
    UserError: there is no such file, or it raises an error.
  """
  path = find(source)
  spec = importlib.util.spec_from_file_location(f'config_{path.stem}', path)
  if spec is None or spec.loader is None:
    raise errors.UserError(f'{path} is not a Python file: its name ends in .py')
  module = importlib.util.module_from_spec(spec)
  try:
    spec.loader.exec_module(module)
  except errors.UserError as error:
    raise errors.UserError(f'{path}: {error}') from None
  except Exception as error:  # A user's file may raise anything.
    kind = type(error).__name__
    raise errors.UserError(f'{path}: {kind}: {error}') from error
  return module
