"""What all tests of injection share."""

import jax
import pytest


@pytest.fixture(scope='module', autouse=True)
def fixture_compile_quickly(request):
  """Most of these tests compile much and compute little."""
  if request.module.__name__.endswith('cost_test'):
    yield  # Looks at what the compiler makes of it in earnest.
    return
  before = jax.config.read('jax_disable_most_optimizations')
  jax.config.update('jax_disable_most_optimizations', True)
  yield
  jax.config.update('jax_disable_most_optimizations', before)
