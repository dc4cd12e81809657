"""Do the tests notice faults that are put in on purpose?

  python -m tests.mutants.run [NAME ...]

Each mutant of `catalogue.py` is one fault in a copy of the package, in a
temporary folder; the tests that it names are run there and have to fail. The
table goes to `results/mutants.md` when all were run. The exit code is 1 if a
mutant survived, could not be made, or broke more than the tests' result.
"""

import argparse
import concurrent.futures
import datetime
import multiprocessing
import os
import pathlib
import platform
import resource
import shutil
import signal
import sys
import tempfile
import time
from typing import NamedTuple

import jax
import pytest

from tests.mutants import catalogue

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
COPIED = (
  'benchmarks',
  'configs',
  'launch',
  'plasticity_rl',
  'tests',
  'pyproject.toml',
)
TABLE = ROOT / 'results' / 'mutants.md'
# Of the processor, so that other work beside it changes no verdict; what only
# waits ends by the clock.
CPU_SECONDS, WALL_SECONDS = 300, 1800
# What pytest's exit codes say of a mutant. An error while tests are collected
# or none found means that the mutant, not a test, is at fault.
CAUGHT, SURVIVED = 'yes', 'NO: survived'
MEANING = {0: SURVIVED, 1: CAUGHT}


# Most of a mutant's time would go to importing what no mutant is of: a server
# imports it once, and each mutant's process begins as a copy of the server's.
_CONTEXT = multiprocessing.get_context('forkserver')
_IMPORTED_ONCE = (
  'haiku',
  'jax',
  'matplotlib',
  'numpy',
  'optax',
  'orbax.checkpoint',
  'pandas',
  'pytest',
  'rlax',
  'scipy.stats',
)
_ENVIRONMENT = {
  'JAX_PLATFORMS': 'cpu',
  # What a mutant does not change is compiled once.
  'JAX_COMPILATION_CACHE_DIR': str(ROOT / '.jax_cache'),
  # A bytecode file might outlive the line that it was made of.
  'PYTHONDONTWRITEBYTECODE': '1',
}


class Result(NamedTuple):
  """What became of a mutant."""

  mutant: catalogue.Mutant
  verdict: str
  seconds: float
  output: str


def copy_project(folder: pathlib.Path) -> None:
  ignore = shutil.ignore_patterns('__pycache__')
  for name in COPIED:
    source = ROOT / name
    if source.is_dir():
      shutil.copytree(source, folder / name, ignore=ignore)
    else:
      shutil.copy(source, folder / name)


def _test(folder: str, tests, said: str) -> None:
  """In a process of its own: pytest's exit code becomes the process's."""
  resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
  os.chdir(folder)
  with open(said, 'w') as file:
    os.dup2(file.fileno(), 1)
    os.dup2(file.fileno(), 2)
  # The packages are those of the copy, not those that this runner is of.
  for name in list(sys.modules):
    if name.partition('.')[0] in COPIED:
      del sys.modules[name]
  sys.path[:] = [folder] + [
    path for path in sys.path if path and pathlib.Path(path) != ROOT
  ]
  sys.exit(
    int(
      pytest.main(
        [
          '-x',
          '-q',
          '--no-header',
          '--tb=short',
          '-m=',  # All of them, exhaustive ones too.
          '-p',
          'no:cacheprovider',
          *tests,
        ]
      )
    )
  )


def run_tests(
  folder: pathlib.Path, tests, file: str = 'said.txt'
) -> tuple[int, str]:
  """The exit code of pytest on `tests` in `folder`, and what it said."""
  said = folder / file
  process = _CONTEXT.Process(target=_test, args=(str(folder), tests, str(said)))
  process.start()
  process.join(WALL_SECONDS)
  if process.is_alive():
    process.kill()
    process.join()
    return -1, f'no end after {WALL_SECONDS} s: {" ".join(tests)}\n'
  if process.exitcode < 0:  # By a signal: too long for its share, or a crash.
    ended = signal.Signals(-process.exitcode).name
    return process.exitcode, f'ended by {ended}: {" ".join(tests)}\n'
  return process.exitcode, said.read_text() if said.exists() else ''


def try_mutant(mutant: catalogue.Mutant) -> Result:
  begin = time.monotonic()
  with tempfile.TemporaryDirectory() as temporary:
    folder = pathlib.Path(temporary)
    copy_project(folder)
    path = folder / mutant.file
    text = path.read_text()
    mutated, found = mutant.apply(text)
    if found != 1:
      verdict = f'NO: the original line is there {found} times'
      return Result(mutant, verdict, 0.0, '')
    path.write_text(mutated)
    code, output = run_tests(folder, mutant.tests)
  verdict = MEANING.get(code, f'NO: broken (exit code {code})')
  return Result(mutant, verdict, time.monotonic() - begin, output)


def try_all(mutants, jobs: int) -> list[Result]:
  results = []
  with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
    for result in pool.map(try_mutant, mutants):
      results.append(result)
      print(
        f'{result.seconds:5.0f} s  {result.mutant.name:45}'
        f'  caught: {result.verdict}',
        flush=True,
      )
      if result.verdict != CAUGHT:
        print(result.output[-2000:])
  return results


def try_none(mutants, jobs: int) -> str:
  """What the tests say that fail without any mutant; '' if all pass."""
  # A process a test function, as `CPU_SECONDS` are meant for one.
  by_function = {}
  for test in sorted({test for mutant in mutants for test in mutant.tests}):
    by_function.setdefault(test.partition('[')[0], []).append(test)
  with tempfile.TemporaryDirectory() as temporary:
    folder = pathlib.Path(temporary)
    copy_project(folder)

    def run(index_and_tests):
      index, tests = index_and_tests
      return run_tests(folder, tests, f'said_{index}.txt')

    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
      outcomes = list(pool.map(run, enumerate(by_function.values())))
  return ''.join(output[-4000:] for code, output in outcomes if code)


def table(results: list[Result], seconds: float) -> str:
  """The report, in Markdown."""
  caught = sum(result.verdict == CAUGHT for result in results)
  lines = [
    '# Do the tests notice faults put in on purpose?',
    '',
    f'{caught} of {len(results)} were caught, each by the tests named. '
    'Made by `python -m tests.mutants.run` '
    f'({datetime.date.today()}, Python {platform.python_version()}, '
    f'jax {jax.__version__}, {os.cpu_count()} cores, {seconds:.0f} s). '
    'The faults are in `tests/mutants/catalogue.py`; a source is whose '
    'public code has, or had, that fault, where there is one.',
    '',
    '| mutant | in | tests | caught | s | source |',
    '|---|---|---|---|---:|---|',
  ]
  for mutant, verdict, took, _ in results:
    tests = '<br>'.join(
      # Which cases of a test: in the catalogue.
      f'`{test.removeprefix("tests/").split("[")[0]}`'
      for test in mutant.tests
    )
    lines.append(
      f'| {mutant.name} | `{mutant.file.removeprefix("plasticity_rl/")}` '
      f'| {tests} | {verdict} | {took:.0f} | {mutant.source} |'
    )
  return '\n'.join(lines) + '\n'


def main() -> int:
  names = [mutant.name for mutant in catalogue.MUTANTS]
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('names', nargs='*', metavar='NAME', help='all if none')
  parser.add_argument('--jobs', type=int, default=min(2, os.cpu_count() or 1))
  arguments = parser.parse_args()
  for name in arguments.names:
    if name not in names:
      parser.error(f'unknown mutant {name!r}; valid: {", ".join(names)}')
  chosen = [
    mutant
    for mutant in catalogue.MUTANTS
    if not arguments.names or mutant.name in arguments.names
  ]
  begin = time.monotonic()
  os.environ.pop('PYTHONPATH', None)
  os.environ.update(_ENVIRONMENT)
  _CONTEXT.set_forkserver_preload(_IMPORTED_ONCE)
  # Failing has to be the mutant's doing.
  print('without a mutant ...', flush=True)
  failed = try_none(chosen, arguments.jobs)
  if failed:
    print(failed)
    print('the tests fail without any mutant')
    return 1
  print(f'{time.monotonic() - begin:5.0f} s  the tests pass', flush=True)
  results = try_all(chosen, arguments.jobs)
  if len(results) == len(names):
    TABLE.parent.mkdir(exist_ok=True)
    TABLE.write_text(table(results, time.monotonic() - begin))
    print(f'wrote {TABLE.relative_to(ROOT)}')
  missed = [result for result in results if result.verdict != CAUGHT]
  print(f'{len(results) - len(missed)} of {len(results)} caught')
  return 1 if missed else 0


if __name__ == '__main__':
  sys.exit(main())
