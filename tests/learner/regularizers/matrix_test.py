"""Singular values, beside NumPy's."""

import jax
import numpy as np
import pytest

from plasticity_rl.learner.regularizers.matrix import as_matrix
from plasticity_rl.learner.regularizers.parseval import parseval
from plasticity_rl.learner.regularizers.spectral_norm import spectral_norm

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
