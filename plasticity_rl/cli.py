"""How every command starts: absl flags, and user mistakes in one line.

A mistake of the user's (a wrong flag, an unknown config key, a missing file)
prints `error: ...` on stderr and exits with code 2. A run that cannot go on
says so in a line too and exits with 1; one that was asked to stop and saved
exits with 75. Anything else is a bug of ours and keeps its traceback.
"""

import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from absl import app
from absl import flags
from absl import logging

from plasticity_rl import compilation_cache
from plasticity_rl import config_files
from plasticity_rl.errors import RunError
from plasticity_rl.errors import UserError
from plasticity_rl.errors import exit_code
from plasticity_rl.errors import nearest
from plasticity_rl.errors import one_line

# What ml_collections raises while it loads a config file and applies
# overrides; a missing file is an OSError.
_CONFIG_ERRORS = (AttributeError, KeyError, TypeError, ValueError, OSError)
_CACHE = flags.DEFINE_string(
  'compilation_cache',
  compilation_cache.AUTO,
  'Folder of what jax compiled, for later runs; off: none; auto: in the '
  "user's cache folder, where jaxlib can read it (doctor tells).",
)
_HELP_FLAGS = frozenset({'help', 'helpshort', 'helpfull', 'helpxml', '?'})


def _fail(error: BaseException) -> NoReturn:
  print(f'error: {one_line(error)}', file=sys.stderr)
  sys.exit(exit_code(error))


def one_thread_for_lapack() -> None:
  """Keeps OpenBLAS to one thread, unless told otherwise; before jax.

  jax takes singular values on a CPU from it. Its threads wait for one another
  by spinning: on matrices of our size two are slower than one, and many times
  slower where the machine has other work. jax's products do not use it.
  """
  os.environ.setdefault('OPENBLAS_NUM_THREADS', '1')


def refuse_positionals(argv: Sequence[str]) -> None:
  """For commands that take flags alone."""
  if len(argv) > 1:
    raise UserError(f'what is {argv[1]!r}? This command takes only --flags')


def require(**flag_values: Any) -> None:
  """Refuses flags that were left out."""
  for name, value in flag_values.items():
    if value is None:
      raise UserError(f'--{name} is missing; see --help')


def _asks_for_help(argv: Sequence[str]) -> bool:
  for argument in argv[1:]:
    if argument == '--':
      return False
    if argument.startswith('-') and argument.lstrip('-') in _HELP_FLAGS:
      return True
  return False


def _check_config(args: Sequence[str]) -> None:
  """Says better than ml_collections what is wrong with --config.

  That would put a traceback into the message of a config file that fails, and
  not mention a file that is missing before it is used.
  """
  if 'config' not in flags.FLAGS:
    return
  flag = flags.FLAGS['config']
  config = flag.default
  if config is None:
    _find_by_name(flag.parser)
  for i, word in enumerate(args[1:], start=1):
    name, equals, value = word.lstrip('-').partition('=')
    if word == '--':
      break
    if word.startswith('-') and name == 'config':
      if config is not None:
        raise UserError(
          '--config.KEY=... changes a key here, --config '
          'itself is the config of the run'
        )
      config = _load(value if equals else ''.join(args[i + 1 : i + 2]))
  if config is not None:
    check_overrides(config, args)


def check_overrides(config: Any, args: Sequence[str]) -> None:
  """Refuses overrides of keys that a ConfigDict lacks, the nearest named."""
  import ml_collections  # Imported already, where there is a config.

  for word in args[1:]:
    name = word.lstrip('-').partition('=')[0]
    if word == '--':
      break
    if not word.startswith('-') or not name.startswith(
      ('config.', 'noconfig.')
    ):
      continue
    section, where = config, 'config'
    for key in name.split('.')[1:]:
      if not isinstance(section, ml_collections.ConfigDict):
        raise UserError(f'{where} has no key {key!r}: it is {section!r}')
      if key not in section:
        raise UserError(nearest(f'key in {where}', key, section))
      section, where = section[key], f'{where}.{key}'


def _load(source: str) -> Any:
  """What a config returns; `source` is a file or a name, and a `:variant`."""
  config_files.find(source)
  path = config_files.split(source)[0]
  try:
    return flags.FLAGS['config'].parser.parse(source)
  except (TypeError, ValueError) as error:
    # The rest of the message is a traceback. A config that refuses a variant
    # by one of these has said all in words of its own.
    last = str(error).strip().splitlines()[-1]
    for kind in (UserError, ValueError):
      last = last.removeprefix(f'{kind.__module__}.{kind.__name__}: ')
      last = last.removeprefix(f'{kind.__name__}: ')
    raise UserError(f'{path}: {last}') from None


def _find_by_name(parser: Any) -> None:
  """Lets the parser of a config file take the name of one as well."""
  parse = type(parser).parse

  def found(source: str) -> Any:
    variant = config_files.split(source)[1]
    return parse(parser, f'{config_files.find(source)}{variant}')

  parser.parse = found


def _start_cache(args: Sequence[str]) -> None:
  """Reads --compilation_cache before the rest: a config may import jax."""
  chosen = _CACHE.default
  for i, word in enumerate(args[1:], start=1):
    name, equals, value = word.lstrip('-').partition('=')
    if word == '--':
      break
    if word.startswith('-') and name == _CACHE.name:
      chosen = value if equals else ''.join(args[i + 1 : i + 2])
  compilation_cache.start(chosen)


def run(
  main: Callable[[list[str]], Any],
  *,
  define: Callable[[Sequence[str]], None] | None = None,
  argv: Sequence[str] | None = None,
) -> NoReturn:
  """Parses absl flags, calls `main(argv)` and exits.

  Args:
    main: gets what is left of the command line: the program's name, then the
      positional arguments. What it returns is the exit code; None is 0.
    define: called with the whole command line before parsing, to define flags
      that depend on it.
    argv: the command line; `sys.argv` by default.
  """
  argv = list(sys.argv if argv is None else argv)
  # Libraries tell much at INFO; --verbosity=0 brings it back.
  logging.set_verbosity(logging.WARNING)
  one_thread_for_lapack()

  def parse(args: Sequence[str]) -> list[str]:
    try:
      _start_cache(args)
      if define is not None:
        define(args)
      _check_config(args)
      return flags.FLAGS(list(args))
    except SystemExit:
      # absl leaves with code 1 after printing the help that was asked for.
      if _asks_for_help(args):
        sys.exit(0)
      raise
    except (UserError, flags.Error, *_CONFIG_ERRORS) as error:
      _fail(error)

  def guarded(rest: list[str]) -> Any:
    try:
      return main(rest)
    except (UserError, RunError) as error:
      _fail(error)

  app.run(guarded, argv=argv, flags_parser=parse)
  raise AssertionError('app.run returned')  # It always exits.
