"""Errors whose messages users see, in one line. Imports nothing heavy."""

import difflib
import pathlib
import shlex
from collections.abc import Iterable

_ROOT = pathlib.Path(__file__).resolve().parent.parent


class UserError(ValueError):
  """A mistake of the user: shown as one line, exit code 2."""


class MissingDependencyError(UserError):
  """This machine lacks a package, a library or memory."""


class EnvironmentFaultError(UserError):
  """An environment returned what its spaces or its library do not allow.

  Before training it is a mistake of the user. In the middle of a run, the
  runner turns it into a `RunError` that says what was kept.
  """


def nearest(
  what: str,
  name: str,
  choices: Iterable[str],
  *,
  listed: Iterable[str] | None = None,
) -> str:
  """The message of a `UserError` about an unknown name.

  Args:
    what: the kind of thing, for example 'intervention'.
    name: the unknown name.
    choices: all valid names.
    listed: shown instead of `choices` if they are too many to read.

  Returns:
    For example "unknown colour 'rde'; did you mean 'red'? valid: blue, red".
  """
  valid = sorted(choices)
  close = difflib.get_close_matches(
    shown(name).strip('\'"'), valid, n=2, cutoff=0.5
  )
  hint = ' or '.join(repr(c) for c in close)
  question = f' did you mean {hint}?' if close else ''
  known = ', '.join(valid if listed is None else listed) or '(none)'
  return f'unknown {what} {shown(name)};{question} valid: {known}'


def install_command(extra: str = '', *, root: pathlib.Path = _ROOT) -> str:
  """The command that installs what this package needs.

  Args:
    extra: the extra to install as well, e.g. 'atari'.
    root: the folder that holds the package. In a checkout, `setup.py` is there
      too, and pip needs the folder. Otherwise the package is installed, and pip
      finds it by its name.

  Returns:
    For example "pip install -e '.[atari]'".
  """
  if not (root / 'setup.py').is_file():
    options, package = '', 'plasticity_rl'
  else:
    options = '-e '
    package = '.' if root == pathlib.Path.cwd() else str(root)
  if extra:
    package += f'[{extra}]'
  return f'pip install {options}{shlex.quote(package)}'


def shown(value: object, most: int = 100) -> str:
  """How a message shows a value: its `repr` in one line of `most` letters."""
  try:
    text = ' '.join(repr(value).split())
  except Exception:  # A repr of someone's own, or a number of 4300 digits.
    return f'an object of type {type(value).__name__}'
  return text if len(text) <= most else f'{text[:most]}...'


class RunError(Exception):
  """A run cannot continue: shown as one line, exit code 1."""


class Interrupted(RunError):
  """A run was asked to stop and has saved: one line, exit code 75.

  75 is the EX_TEMPFAIL of sysexits: the same command continues the run.
  """


def exit_code(error: BaseException) -> int:
  """The exit code of a command in which this error was raised."""
  if isinstance(error, Interrupted):
    return 75
  return 1 if isinstance(error, RunError) else 2


def one_line(error: BaseException) -> str:
  """The message of an exception without line breaks."""
  if isinstance(error, KeyError) and len(error.args) == 1:
    text = str(error.args[0])  # str(KeyError) would quote it.
  else:
    text = str(error)
  return ' '.join(text.split()) or type(error).__name__
