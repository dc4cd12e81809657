"""Paths that a user gives, looked at before anything is computed."""

import os
import pathlib

from plasticity_rl.errors import UserError
from plasticity_rl.errors import shown

# Below a folder that is given, a run has paths of up to this length.
_BELOW = 300
# What Linux, macOS and their file systems take, in bytes.
_NAME, _PATH = 255, 4096


def given(name: str, path: str | os.PathLike[str]) -> pathlib.Path:
  """A path of a file or folder, which need not exist.

  Args:
    name: of the flag or argument, for the message.
    path: what the user gave.

  Returns:
    The path.

  Raises:
    UserError: no file can have this path, or the system refuses to look there.
  """
  text = os.fspath(path)
  if not text or '\0' in text:
    raise UserError(f'{name} must be a path: {shown(text)}')
  found = pathlib.Path(text)
  for part in found.parts:
    if len(os.fsencode(part)) > _NAME:
      raise UserError(
        f'{name} has a name of {len(os.fsencode(part))} bytes, of which '
        f'{_NAME} are possible: {shown(part, 40)}'
      )
  if len(os.fsencode(found.absolute())) > _PATH - _BELOW:
    raise UserError(
      f'{name} must be a path of at most {_PATH - _BELOW} bytes: '
      f'{shown(text, 40)}'
    )
  try:
    found.stat()
  except (FileNotFoundError, NotADirectoryError):
    pass  # Whoever needs it says what is missing.
  except OSError as error:
    raise UserError(f'{name}: cannot look at {found}: {error}') from None
  return found
