"""Distances of weights, by hand."""

import jax
import jax.numpy as jnp
import numpy as np

from plasticity_rl import injection
from plasticity_rl.learner.regularizers.l2 import l2
from plasticity_rl.learner.regularizers.l2_init import l2_init

PARAMS = {
  'encoder': {'dense': {'w': jnp.array([[1.0, -2.0]]), 'b': jnp.ones([2])}},
  'head': {'last': {'w': jnp.array([[3.0], [0.5]]), 'b': jnp.zeros([1])}},
}


def injected(params):
  frozen = jax.tree.map(lambda x: x[None] + 100.0, params['head'])
  return {
    **params,
    'head': injection.InjectedHead(params['head'], frozen, jnp.ones([1])),
  }


def test_l2_is_the_square_of_weights_and_biases():
  np.testing.assert_allclose(l2(PARAMS), 1 + 4 + 1 + 1 + 9 + 0.25, rtol=1e-6)
  gradient = jax.grad(l2)(PARAMS)['head']['last']['w']
  np.testing.assert_allclose(gradient, [[6.0], [1.0]])


def test_l2_init_is_zero_where_nothing_moved_and_grows_with_distance():
  moved = jax.tree.map(lambda x: x + 0.5, PARAMS)
  assert l2_init(PARAMS, PARAMS) == 0
  np.testing.assert_allclose(l2_init(moved, PARAMS), 7 * 0.25)
  # Towards where it began, not towards zero.
  gradient = jax.grad(l2_init)(moved, PARAMS)
  for leaf in jax.tree.leaves(gradient):
    np.testing.assert_allclose(leaf, 1.0)


def test_frozen_heads_are_left_alone():
  for penalty in (
    l2,
    lambda p: l2_init(p, jax.tree.map(jnp.zeros_like, PARAMS)),
  ):
    np.testing.assert_allclose(penalty(injected(PARAMS)), penalty(PARAMS))
    gradient = jax.grad(penalty)(injected(PARAMS))['head']
    assert (gradient.frozen['last']['w'] == 0).all()
    assert (gradient.trainable['last']['w'] != 0).all()
