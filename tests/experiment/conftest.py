"""What the tests of this room share."""

import jax
import pytest


@pytest.fixture(scope='module', autouse=True)
def fixture_compile_quickly():
  """These tests compile much and compute little; it halves their time."""
  before = jax.config.read('jax_disable_most_optimizations')
  jax.config.update('jax_disable_most_optimizations', True)
  yield
  jax.config.update('jax_disable_most_optimizations', before)
