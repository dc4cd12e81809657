"""Settings that every test process needs before it imports JAX."""

import os
import pathlib

# The tests' numbers and times are those of a CPU. What needs several devices
# asks for them in a process of its own: forcing host devices here would change
# every other test.
os.environ.setdefault('JAX_PLATFORMS', 'cpu')

if 'PYTEST_XDIST_WORKER' in os.environ:
  # As many processes as cores: NumPy's threads would only wait on each other.
  for library in ('OMP', 'OPENBLAS', 'MKL'):
    os.environ.setdefault(f'{library}_NUM_THREADS', '1')

# Most of a test's time is compilation. What two tests, two processes or two
# runs have in common is compiled once; entries are found by the program itself.
os.environ.setdefault(
    'JAX_COMPILATION_CACHE_DIR',
    str(pathlib.Path(__file__).resolve().parent.parent / '.jax_cache'),
)
os.environ.setdefault('JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS', '0.3')

# Figures are drawn to files; no test may look for a screen.
os.environ.setdefault('MPLBACKEND', 'Agg')
