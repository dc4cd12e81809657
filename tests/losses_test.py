"""Penalties by hand, and singular values beside NumPy's."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from plasticity_rl import injection
from plasticity_rl.losses import as_matrix
from plasticity_rl.losses import feature_norm
from plasticity_rl.losses import l2
from plasticity_rl.losses import l2_init
from plasticity_rl.losses import parseval
from plasticity_rl.losses import spectral_norm

RNG = np.random.default_rng(0)
SHAPES = ((6, 4), (3, 5), (2, 3, 4, 5))


def draw(shape):
  return RNG.normal(size=shape).astype(np.float32)


def test_rows_are_units():
  w = draw((2, 3, 4, 5))
  matrix = as_matrix(w)
  assert matrix.shape == (5, 24)
  np.testing.assert_array_equal(matrix[3], w[..., 3].reshape(-1))


@pytest.mark.parametrize('shape', SHAPES)
def test_parseval_is_the_distance_of_the_gram_matrix(shape):
  w = draw(shape)
  rows = [w[..., i].reshape(-1) for i in range(shape[-1])]
  expected = sum(
    (a @ b - (1.5 if i == j else 0)) ** 2
    for i, a in enumerate(rows)
    for j, b in enumerate(rows)
  )
  np.testing.assert_allclose(parseval(w, 1.5), expected, rtol=1e-5)


def test_parseval_is_zero_for_orthogonal_units_of_the_right_norm():
  q, _ = np.linalg.qr(draw((6, 4)))  # Orthonormal columns: the units.
  w = (2.0**0.5 * q).astype(np.float32)
  assert parseval(w) < 1e-9
  assert parseval(w.T) > 1  # Six units cannot be in four inputs.


@pytest.mark.parametrize('shape', SHAPES)
def test_spectral_norm_is_numpys(shape):
  w = draw(shape)
  matrix = np.asarray(as_matrix(w))
  u, s, v = np.linalg.svd(matrix, full_matrices=False)
  value, gradient = jax.value_and_grad(spectral_norm)(w, 200)
  np.testing.assert_allclose(value, s[0] ** 2 / 2, rtol=1e-5)
  np.testing.assert_allclose(
    as_matrix(gradient),
    s[0] * np.outer(u[:, 0], v[0]),
    rtol=1e-3,
    atol=1e-4,
  )


def test_few_iterations_come_close_from_below_and_are_the_same_each_time():
  w = draw((30, 20))
  exact = np.linalg.norm(w, 2) ** 2 / 2
  values = [float(spectral_norm(w, n)) for n in (1, 3, 10, 10)]
  assert values[0] < values[1] < values[2] == values[3] < exact * (1 + 1e-5)
  assert values[2] > 0.9 * exact


def test_a_layer_of_zeros_has_no_gradient():
  value, gradient = jax.value_and_grad(spectral_norm)(
    np.zeros([3, 2], np.float32)
  )
  assert value == 0 and (gradient == 0).all()


def test_feature_norm_averages_examples_and_sums_units():
  phi = jnp.array([[3.0, 4.0], [0.0, 1.0]])
  np.testing.assert_allclose(feature_norm(phi), (25 + 1) / 2)
  image = jnp.ones([2, 3, 3, 4])
  np.testing.assert_allclose(feature_norm(image), 36)


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
