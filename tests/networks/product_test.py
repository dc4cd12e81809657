"""The layers' product and its derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from plasticity_rl.networks.product import product

RNG = np.random.default_rng(0)
SHAPES = [(7, 5), (2, 3, 4, 5)]  # Examples, and patches of images.


def arrays(shape, dtype=np.float32):
  x = RNG.standard_normal(shape).astype(dtype)
  w = RNG.standard_normal((shape[-1], 3)).astype(dtype)
  return jnp.array(x), jnp.array(w)


def loss(multiply):
  return lambda x, w: jnp.sum(jnp.tanh(multiply(x, w)) ** 3)


def plain(x, w):
  return x @ w


@pytest.mark.parametrize('shape', SHAPES)
def test_derivatives_are_those_of_the_plain_product(shape):
  x, w = arrays(shape)
  np.testing.assert_array_equal(product(x, w), x @ w)
  for a, b in zip(
    jax.grad(loss(product), (0, 1))(x, w),
    jax.grad(loss(plain), (0, 1))(x, w),
    strict=True,
  ):
    np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('shape', SHAPES)
def test_second_derivatives(shape):
  """In reverse, as of penalties on gradients, and forward, as Lanczos does."""
  x, w = arrays(shape)

  def penalty(multiply):
    return lambda w: jnp.sum(jax.grad(loss(multiply), 1)(x, w) ** 2)

  np.testing.assert_allclose(
    jax.grad(penalty(product))(w), jax.grad(penalty(plain))(w), rtol=1e-3
  )
  along = jnp.ones_like(w)
  for a, b in zip(
    *(
      jax.jvp(lambda w, m=m: jax.grad(loss(m), 1)(x, w), (w,), (along,))
      for m in (product, plain)
    ),
    strict=True,
  ):
    np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)


def test_over_seeds_and_members():
  """One batch for all members, as in an ensemble of critics."""
  x, _ = arrays((7, 5))
  w = jnp.stack([arrays((7, 5))[1] for _ in range(4)])
  gradients = jax.grad(
    lambda w: jnp.sum(
      jax.vmap(loss(product), in_axes=(None, 0))(x, w) * jnp.arange(4)
    )
  )(w)
  for k in range(4):
    np.testing.assert_allclose(
      gradients[k], k * jax.grad(loss(plain), 1)(x, w[k]), rtol=1e-4, atol=1e-5
    )


def test_half_precision_stays_half_precision():
  x, w = arrays((7, 5), jnp.bfloat16)
  dx, dw = jax.grad(lambda x, w: product(x, w).sum(), (0, 1))(x, w)
  assert product(x, w).dtype == dx.dtype == dw.dtype == jnp.bfloat16


def test_the_gradient_is_laid_out_as_the_weights_are():
  """No transposition, which a loop over weights would read in strides."""
  x, w = arrays((7, 5))
  text = jax.jit(jax.grad(loss(product), 1)).lower(x, w).as_text()
  other = jax.jit(jax.grad(loss(plain), 1)).lower(x, w).as_text()
  assert 'transpose' not in text
  assert 'transpose' in other  # Otherwise JAX does it by itself: use that.
