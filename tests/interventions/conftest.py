"""What all tests of interventions share."""

import jax
import pytest


@pytest.fixture(scope='module', autouse=True)
def fixture_compile_quickly():
  """These tests compile much and compute little."""
  before = jax.config.read('jax_disable_most_optimizations')
  jax.config.update('jax_disable_most_optimizations', True)
  yield
  jax.config.update('jax_disable_most_optimizations', before)
