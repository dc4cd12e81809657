"""Finds config files by their path or by the name of an installed config."""

import pathlib

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
