"""Settings that every test process needs before it imports JAX."""

import contextlib
import ctypes
import gc
import os
import pathlib

import pytest

from tests import compiler
from tests import tiers

# The tests' numbers and times are those of a CPU. What needs several devices
# asks for them in a process of its own: forcing host devices here would change
# every other test.
os.environ.setdefault('JAX_PLATFORMS', 'cpu')
_FLAGS = os.environ.get('XLA_FLAGS', '')
if compiler.QUICKLY not in _FLAGS:
  os.environ['XLA_FLAGS'] = _FLAGS + compiler.QUICKLY

if 'PYTEST_XDIST_WORKER' in os.environ:
  # As many processes as cores: NumPy's threads would only wait on each other.
  for library in ('OMP', 'OPENBLAS', 'MKL'):
    os.environ.setdefault(f'{library}_NUM_THREADS', '1')

# Most of a test's time is compilation. What two tests, two processes or two
# runs have in common is compiled once, however small, as many processes compile
# the same small programs; entries are found by the program itself.
# (Not with jaxlib 0.12, which was seen to crash on reading an entry.)
if compiler.JAXLIB < (0, 12):
  os.environ.setdefault(
    'JAX_COMPILATION_CACHE_DIR',
    str(pathlib.Path(__file__).resolve().parent.parent / '.jax_cache'),
  )
  os.environ.setdefault('JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS', '0')

# Figures are drawn to files; no test may look for a screen.
os.environ.setdefault('MPLBACKEND', 'Agg')


def pytest_collection_finish():
  """Looks for garbage seldom, and not among all that was imported."""
  gc.freeze()
  gc.set_threshold(20_000, 20, 20)


# Where the compiler's work is itself looked at, or much is computed.
_IN_EARNEST = (
  'cost_test',
  'learning_test',
  'test_calibration',
  'test_scaling',
)
_QUICKLY = 'jax_disable_most_optimizations'


@pytest.fixture(scope='module', autouse=True)
def fixture_compile_quickly(request):
  """Most tests compile much and compute little; so do processes they start."""
  if request.path.stem in _IN_EARNEST:
    yield
    return
  import jax  # After the settings above.

  before = jax.config.read(_QUICKLY)
  jax.config.update(_QUICKLY, True)
  with pytest.MonkeyPatch.context() as patch:
    patch.setenv(_QUICKLY.upper(), '1')
    yield
  jax.config.update(_QUICKLY, before)


# Compiled programs take megabytes each. clear_caches frees them, but glibc
# gives the memory back only when it is asked to.
_MEMORY = pathlib.Path('/proc/self/statm')
_LEAST_BYTES, _MORE_BYTES = 2e9, 1e9
_limit = [_LEAST_BYTES]


def _memory():
  return int(_MEMORY.read_text().split()[1]) * os.sysconf('SC_PAGESIZE')


@pytest.hookimpl(trylast=True)  # After a test's own patches are undone.
def pytest_runtest_teardown():
  """Frees compiled programs once they take much memory."""
  if not _MEMORY.exists() or _memory() < _limit[0]:  # Linux has it.
    return
  import jax

  jax.clear_caches()
  gc.collect()
  with contextlib.suppress(AttributeError, OSError):  # Another C library.
    ctypes.CDLL('libc.so.6').malloc_trim(0)
  # What is held otherwise is not looked for again after every test.
  _limit[0] = max(_LEAST_BYTES, _memory() + _MORE_BYTES)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
  """Marks tests by their names, before any is chosen by its mark."""
  here = pathlib.Path(__file__).parent

  def is_among(item, names):
    name = item.nodeid.partition('::')[2]
    path = item.path.relative_to(here).as_posix()
    return f'{path}::{name}'.startswith(names)

  for item in items:
    if is_among(item, (*tiers.SLOW, *tiers.EXHAUSTIVE)):
      item.add_marker(pytest.mark.slow)
    if is_among(item, tiers.EXHAUSTIVE):
      item.add_marker(pytest.mark.exhaustive)
  items.sort(key=lambda item: not is_among(item, tiers.FIRST))
