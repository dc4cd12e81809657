"""The convolution as slices is XLA's, and starts as Haiku's does."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from plasticity_rl.networks import convolution

KEY = jax.random.PRNGKey(0)


@functools.partial(jax.jit, static_argnums=(3, 4))
def value_and_gradients(x, w, cotangent, stride, form):
  y, pull = jax.vjp(lambda x, w: convolution.convolve(x, w, stride, form), x, w)
  return y, *pull(cotangent)


@pytest.mark.parametrize('channels', (3, convolution.FEW_CHANNELS))
@pytest.mark.parametrize('kernel, stride', ((3, 1), (3, 4), (4, 2), (8, 4)))
def test_slices_and_lax_agree(kernel, stride, channels):
  # Height and width differ, and neither fits the stride.
  x_key, w_key, y_key = jax.random.split(KEY, 3)
  x = jax.random.normal(x_key, [2, 14, 11, channels])
  w = jax.random.normal(w_key, [kernel, kernel, channels, 5])
  shape = jax.eval_shape(
    functools.partial(convolution.lax_convolution, stride=stride), x, w
  ).shape
  cotangent = jax.random.normal(y_key, shape)
  lax, slices = (
    value_and_gradients(x, w, cotangent, stride, form)
    for form in ('lax', 'slices')
  )
  for one, other in zip(lax, slices, strict=True):
    assert one.shape == other.shape
    np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


def test_value_by_hand():
  x = jnp.arange(16.0).reshape(1, 4, 4, 1)
  w = jnp.zeros([3, 3, 1, 1]).at[0, 0].set(1.0).at[2, 1].set(10.0)
  y = convolution.sliced_convolution(x, w, 1)
  # x[i, j] + 10 x[i + 2, j + 1]
  assert y[0, :, :, 0].tolist() == [[90, 101], [134, 145]]


def test_auto_looks_at_the_backend_and_at_loops(monkeypatch):
  for backend in ('cpu', 'gpu', 'tpu'):
    monkeypatch.setattr(jax, 'default_backend', lambda b=backend: b)
    expected = 'slices' if backend == 'cpu' else 'lax'
    assert convolution.resolve('auto') == expected
    assert convolution.resolve('auto', in_loop=False) == 'lax'
    for form in ('slices', 'lax'):
      assert convolution.resolve(form) == form


def test_convolve_takes_the_form(monkeypatch):
  x, w = jnp.zeros([1, 3, 3, 2]), jnp.zeros([2, 2, 2, 1])
  taken = []
  for name in ('sliced_convolution', 'lax_convolution'):
    monkeypatch.setattr(
      convolution, name, lambda *_, name=name: taken.append(name)
    )
  for form in ('slices', 'lax'):
    convolution.convolve(x, w, 1, form)
  assert taken == ['sliced_convolution', 'lax_convolution']


@pytest.mark.parametrize(
  'x, w',
  (
    ([3, 3, 2], [2, 2, 2, 1]),  # No batch.
    ([1, 3, 3, 2], [2, 2, 3, 1]),  # Other channels.
  ),
)
def test_wrong_shapes_are_refused(x, w):
  with pytest.raises(AssertionError):
    convolution.convolve(jnp.zeros(x), jnp.zeros(w), 1, 'lax')
