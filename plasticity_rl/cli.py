"""Common code of all commands: absl flags, and errors in one line.

A mistake of the user (a wrong flag, an unknown config key, a missing file)
prints `error: ...` on stderr and exits with code 2. A run that cannot continue
prints one line too and exits with 1; a run that was asked to stop and has saved
exits with 75. Any other exception is a bug and keeps its traceback.
"""

import itertools
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn, TypeVar

from absl import app
from absl import flags
from absl import logging

from plasticity_rl import compilation_cache
from plasticity_rl import config_files
from plasticity_rl import output
from plasticity_rl import process
from plasticity_rl import settings as settings_lib
from plasticity_rl.errors import RunError
from plasticity_rl.errors import UserError
from plasticity_rl.errors import exit_code
from plasticity_rl.errors import nearest
from plasticity_rl.errors import one_line

# ml_collections raises these while it loads a config file and applies
# overrides. A missing file is an OSError.
_CONFIG_ERRORS = (AttributeError, KeyError, TypeError, ValueError, OSError)
_CACHE = flags.DEFINE_string(
  'compilation_cache',
  compilation_cache.AUTO,
  'Folder in which jax keeps compiled programs for later runs; off: none; '
  "auto: in the user's cache folder, if jaxlib can read it (see doctor).",
)
_CPU_DEVICES = flags.DEFINE_integer(
  'cpu_devices',
  1,
  'Devices that jax divides the CPU into, at most its cores: each trains a '
  'part of the seeds (config.parallel), beside the others.',
  lower_bound=1,
  upper_bound=os.cpu_count(),
)
T = TypeVar('T')
_HELP_FLAGS = frozenset({'help', 'helpshort', 'helpfull', 'helpxml', '?'})


def _fail(error: BaseException) -> NoReturn:
  print(f'error: {one_line(error)}', file=sys.stderr)
  sys.exit(exit_code(error))


def one_thread_for_lapack() -> None:
  """Limits OpenBLAS to one thread, unless the user has set a number.

  Call it before jax is imported. On a CPU, jax computes singular values with
  OpenBLAS, whose threads wait for one another by spinning. For matrices of the
  sizes used here, two threads are slower than one, and many times slower on a
  busy machine. jax's matrix products do not use OpenBLAS.
  """
  os.environ.setdefault('OPENBLAS_NUM_THREADS', '1')


def give_threads(settings: settings_lib.Settings) -> None:
  """Has XLA use one thread for a network too small to share out its work.

  On two cores, a diagnosis of continual Catch (64 x 64, ten seeds) took .87 of
  the time with one thread instead of two, and .69 of the processor's; SAC's
  64 x 64 and 256 x 256 took as long; MinAtar (1024 x 128) 1.04 to 1.12 times.

  Environments of users keep all threads: they may call Python back from inside
  the program.

  Args:
    settings: of the only run of this process.
  """
  network = settings.network
  is_small = max(network.hidden, default=0) <= 64
  if (
    is_small
    and not network.convolutions
    and ':' not in settings.environment.name
  ):
    process.use_one_thread()


def refuse_positionals(argv: Sequence[str]) -> None:
  """Refuses positional arguments, for commands that take only flags.

  Raises:
    UserError: there is a positional argument.
  """
  if len(argv) > 1:
    raise UserError(
      f'unexpected argument {argv[1]!r}: this command takes only --flags'
    )


def require(name: str, value: T | None) -> T:
  """The value of a flag that may not be left out.

  Raises:
    UserError: the value is None.
  """
  if value is None:
    raise UserError(f'--{name} is missing; see --help')
  return value


def _asks_for_help(argv: Sequence[str]) -> bool:
  for argument in argv[1:]:
    if argument == '--':
      return False
    if argument.startswith('-') and argument.lstrip('-') in _HELP_FLAGS:
      return True
  return False


def _check_config(args: Sequence[str]) -> None:
  """Checks --config before ml_collections does, with better messages.

  ml_collections puts a traceback into the message if a config file fails, and
  reports a missing file only when the config is used.
  """
  if 'config' not in flags.FLAGS:
    return
  process.check_interpreter()  # A config may import what -O breaks.
  flag = flags.FLAGS['config']
  config = flag.default
  if config is None:
    _find_by_name(flag.parser)
  for source in _values('config', args):
    if config is not None:
      raise UserError(
        '--config.KEY=... changes a key here, --config '
        'itself is the config of the run'
      )
    config = _load(source)
  if config is not None:
    check_overrides(config, args)
    return
  for name in _overrides(args):
    raise UserError(f'--config is missing, of which --{name} changes a key')


def _values(flag: str, args: Sequence[str]) -> list[str]:
  """The values of a flag on a command line that is not parsed yet."""
  found = []
  for i, word in enumerate(args[1:], start=1):
    name, equals, value = word.lstrip('-').partition('=')
    if word == '--':
      break
    if word.startswith('-') and name == flag:
      found.append(value if equals else ''.join(args[i + 1 : i + 2]))
  return found


def _overrides(args: Sequence[str]) -> list[str]:
  """The flags `config.KEY` of a command line."""
  found = []
  for word in args[1:]:
    name = word.lstrip('-').partition('=')[0]
    if word == '--':
      break
    if word.startswith('-') and name.startswith(('config.', 'noconfig.')):
      found.append(name)
  return found


def _config_first(args: Sequence[str]) -> list[str]:
  """A command line with --config before the flags that change its keys."""
  end = args.index('--') if '--' in args else len(args)
  first, rest = [], []
  words = iter(args[1:end])
  for word in words:
    if word in ('--config', '-config'):
      first += [word, *itertools.islice(words, 1)]
    elif word.startswith(('--config=', '-config=')):
      first.append(word)
    else:
      rest.append(word)
  return [args[0], *first, *rest, *args[end:]]


def check_overrides(config: Any, args: Sequence[str]) -> None:
  """Refuses overrides of keys that a ConfigDict lacks.

  Raises:
    UserError: there is no such key; the message names similar ones.
  """
  import ml_collections  # Imported already, where there is a config.

  for section in ('agent', 'environment'):
    for name in _values(f'config.{section}.name', args):
      _check_same_keys(config, section, name)
  for name in _overrides(args):
    section, where = config, 'config'
    for key in name.split('.')[1:]:
      if not isinstance(section, ml_collections.ConfigDict):
        raise UserError(f'{where} has no key {key!r}: it is {section!r}')
      if key not in section:
        raise UserError(nearest(f'key in {where}', key, section))
      section, where = section[key], f'{where}.{key}'


def _check_same_keys(config: Any, section: str, name: str) -> None:
  """Refuses another agent or environment whose keys the config lacks."""
  parts = ('agent', 'environment')
  if not all(part in config and 'name' in config[part] for part in parts):
    return
  names = {part: config[part].name for part in parts} | {section: name}
  wanted = settings_lib.default_config(**names)
  for part in (section, 'replay'):
    lacks = sorted({*config.get(part, ())} - {*wanted[part]})
    if lacks:
      raise UserError(
        f'--config.{section}.name={name}: this config is for '
        f'{config[section].name!r} and has keys in {part} that {name!r} lacks '
        f'({", ".join(lacks)}): take a config that is made by '
        f'default_config({names["agent"]!r}, {names["environment"]!r})'
      )


def _load(source: str) -> Any:
  """Loads a config; `source` is a file or a name, with an optional variant."""
  config_files.find(source)
  path = config_files.split(source)[0]
  try:
    return flags.FLAGS['config'].parser.parse(source)
  except (TypeError, ValueError) as error:
    # The rest of the message is a traceback. A config that refuses a variant
    # raises one of these with a message for the user.
    last = str(error).strip().splitlines()[-1]
    for kind in (UserError, ValueError):
      last = last.removeprefix(f'{kind.__module__}.{kind.__name__}: ')
      last = last.removeprefix(f'{kind.__name__}: ')
    raise UserError(f'{path}: {last}') from None


def _find_by_name(parser: Any) -> None:
  """Lets the parser of a config file also take the name of a config."""
  parse = type(parser).parse

  def found(source: str) -> Any:
    variant = config_files.split(source)[1]
    return parse(parser, f'{config_files.find(source)}{variant}')

  parser.parse = found


def _prepare_jax(args: Sequence[str]) -> None:
  """Reads what jax is started with before the rest: a config may import it."""
  *_, cache = _CACHE.default, *_values(_CACHE.name, args)
  compilation_cache.start(cache)
  flag = flags.FLAGS[_CPU_DEVICES.name]
  for text in _values(flag.name, args):
    flag.parse(text)
  process.divide_cpu(flag.value or 1)


def run(
  main: Callable[[list[str]], Any],
  *,
  define: Callable[[Sequence[str]], None] | None = None,
  argv: Sequence[str] | None = None,
) -> NoReturn:
  """Parses absl flags, calls `main(argv)` and exits.

  Args:
    main: called with the program's name and the positional arguments. It
      returns the exit code; None means 0.
    define: called with the whole command line before it is parsed, to define
      flags that depend on it.
    argv: the command line; `sys.argv` by default.
  """
  if argv is None:
    sys.argv[:] = _config_first(sys.argv)  # ml_collections reads it as well.
    argv = sys.argv
  argv = list(argv)
  # Libraries log much at INFO; --verbosity=0 shows it.
  logging.set_verbosity(logging.WARNING)
  one_thread_for_lapack()

  def parse(args: Sequence[str]) -> list[str]:
    try:
      _prepare_jax(args)
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

  with output.lenient():
    app.run(guarded, argv=argv, flags_parser=parse)
  raise AssertionError('app.run returned')  # It always exits.
