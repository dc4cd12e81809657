"""Norms by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from plasticity_rl.networks.layer_norm import layer_norm
from plasticity_rl.weight_norm import effective_weight
from plasticity_rl.weight_norm import norms
from plasticity_rl.weight_norm import weight_normalization

W = jnp.array([[3.0, 0.0], [4.0, 2.0]])


def test_weight_norm_by_unit():
  np.testing.assert_allclose(norms(W), [5, 2])
  np.testing.assert_allclose(
    weight_normalization(W, jnp.array([10.0, 1.0])),
    [[6, 0], [8, 1]],
  )
  kernel = jnp.ones([2, 2, 3, 4])
  np.testing.assert_allclose(norms(kernel), 12**0.5, rtol=1e-6)


def test_effective_weight_is_what_a_layer_multiplies_by():
  np.testing.assert_array_equal(
    effective_weight({'w': W, 'b': jnp.zeros(2)}), W
  )
  np.testing.assert_allclose(
    effective_weight({'w': W, 'g': jnp.array([5.0, 4.0])}),
    W * jnp.array([1, 2]),
  )


def test_weights_of_zero_have_a_gradient():
  gradient = jax.grad(lambda w: weight_normalization(w, jnp.ones(2)).sum())(
    jnp.zeros([3, 2])
  )
  assert np.isfinite(gradient).all()


def test_layer_norm_by_hand():
  x = jnp.array([[1.0, 3.0], [0.0, 0.0]])
  y = layer_norm(x, jnp.array([1.0, 2.0]), jnp.array([0.0, 0.5]), eps=3.0)
  # Mean 2 and variance 1: (x - 2) / 2.
  np.testing.assert_allclose(y, [[-0.5, 1.5], [0, 0.5]], rtol=1e-6)


@pytest.mark.parametrize(
  'x, scale, offset',
  (
    ([2], [2], [2]),  # No batch.
    ([4, 3], [1], [1]),  # It would broadcast.
    ([4, 3], [3], [1]),
  ),
)
def test_layer_norm_refuses_wrong_shapes(x, scale, offset):
  with pytest.raises(AssertionError):
    layer_norm(jnp.zeros(x), jnp.ones(scale), jnp.zeros(offset))
