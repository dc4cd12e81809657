"""A program that is compiled by shapes is the one that is called."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from plasticity_rl.learner import ahead
from tests.experiment.compiling import Compiling


@ahead.program
@jax.jit
def double(tree, x):
  return {'sum': tree['a'] + x, 'count': tree['n'] + 1}


def arguments():
  return {'a': jnp.ones([3, 2]), 'n': jnp.array(1, jnp.int32)}, np.float32(2)


def test_shapes_are_what_comes_out():
  args = arguments()
  shapes = double(*ahead.shapes_of(args))
  assert ahead.are_shapes(shapes)
  assert shapes == ahead.shapes_of(double(*args))
  assert shapes['sum'].shape == (3, 2)


def test_what_was_compiled_ahead_is_not_compiled_again():
  program = ahead.program(jax.jit(lambda tree, x: tree['a'] @ tree['a'].T * x))
  args = arguments()
  with Compiling() as compiling:
    program(*ahead.shapes_of(args))
    assert len(compiling.steps) == 1
    result = program(*args)
    assert len(compiling.steps) == 1
    program(jax.tree.map(lambda x: x[:2] if x.ndim else x, args[0]), args[1])
    assert len(compiling.steps) > 1
  np.testing.assert_array_equal(result, np.full([3, 3], 4.0))


def test_nothing_is_computed_and_donated_arguments_stay():
  calls = []

  def function(x):
    jax.debug.callback(lambda: calls.append(0))
    return x + 1

  program = ahead.program(jax.jit(function, donate_argnums=0))
  x = jnp.ones([4])
  program(ahead.shapes_of(x))
  assert not calls
  assert not x.is_deleted()
  np.testing.assert_array_equal(program(x), np.full([4], 2.0))
  jax.effects_barrier()
  assert calls == [0]
  assert x.is_deleted()


@pytest.mark.parametrize('is_bound', (False, True))
def test_what_is_bound_to_a_device_stays_so(is_bound):
  tree, x = arguments()
  if is_bound:
    tree = jax.device_put(tree, jax.devices()[0])
  shapes = ahead.shapes_of((tree, x))
  assert ahead.are_bound(shapes) == is_bound
  assert ahead.are_bound(double(*shapes)) == is_bound
  assert double(*shapes) == ahead.shapes_of(double(tree, x))
