"""What the user got wrong, said in one line. Imports nothing heavy."""

import difflib
import pathlib
import shlex
from collections.abc import Iterable

_ROOT = pathlib.Path(__file__).resolve().parent.parent


class UserError(ValueError):
  """A mistake in what the user asked for: shown as one line, exit code 2."""


class MissingDependencyError(UserError):
  """This machine lacks what is needed: a package, a library, memory."""


def nearest(
  what: str,
  name: str,
  choices: Iterable[str],
  *,
  listed: Iterable[str] | None = None,
) -> str:
  """One line about an unknown name, for a `UserError`.

  Args:
    what: what kind of thing it is, e.g. 'intervention'.
    name: what the user wrote.
    choices: what would have been valid.
    listed: what to say instead where the choices are too many to read.

  Returns:
    For example "unknown colour 'rde'; did you mean 'red'? valid: blue, red".
  """
  valid = sorted(choices)
  close = difflib.get_close_matches(str(name), valid, n=2, cutoff=0.5)
  hint = ' or '.join(repr(c) for c in close)
  question = f' did you mean {hint}?' if close else ''
  told = ', '.join(valid if listed is None else listed) or '(none)'
  return f'unknown {what} {name!r};{question} valid: {told}'


def install_command(extra: str = '', *, root: pathlib.Path = _ROOT) -> str:
  """The command that installs what this package needs.

  Args:
    extra: the extra to install as well, e.g. 'atari'.
    root: the folder that holds the package. In a checkout `setup.py` is there,
      and pip needs the folder; otherwise the package is installed already, and
      pip finds it by name.

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


class RunError(Exception):
  """A run that cannot go on: shown as one line, exit code 1."""


class Interrupted(RunError):
  """A run that was asked to stop and saved: one line, exit code 75.

  75 is the EX_TEMPFAIL of sysexits: the same command continues.
  """


def exit_code(error: BaseException) -> int:
  """With what a command ends that this was raised in."""
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
