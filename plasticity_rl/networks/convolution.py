"""Convolutions by backend.

Inside a `lax.scan` XLA's CPU convolutions fall onto a slow path (several times
slower than outside), and compiled training lives inside a scan. Written as
shifted slices and one matrix product they do not suffer. GPU and TPU take
`lax.conv`.
"""

import jax
import jax.numpy as jnp

FORMS = ('auto', 'lax', 'slices')


def lax_convolution(x: jax.Array, w: jax.Array, stride: int) -> jax.Array:
  """VALID convolution of `[B, H, W, C]` with `[k, k, C, D]`."""
  return jax.lax.conv_general_dilated(
      x, w, (stride, stride), 'VALID',
      dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
  )


def sliced_convolution(x: jax.Array, w: jax.Array, stride: int) -> jax.Array:
  """The same as `lax_convolution`, as slices and one matrix product."""
  kernel, _, channels, filters = w.shape
  height, width = (
      (size - kernel) // stride + 1 for size in x.shape[1:3]
  )
  patches = jnp.concatenate([
      x[:, i:i + stride * (height - 1) + 1:stride,
        j:j + stride * (width - 1) + 1:stride]
      for i in range(kernel) for j in range(kernel)
  ], axis=-1)
  return patches @ w.reshape(kernel * kernel * channels, filters)


def convolve(
    x: jax.Array, w: jax.Array, stride: int, form: str = 'auto'
) -> jax.Array:
  """VALID convolution in the given form; 'auto' looks at the backend."""
  if form == 'auto':
    form = 'slices' if jax.default_backend() == 'cpu' else 'lax'
  if form == 'slices':
    return sliced_convolution(x, w, stride)
  return lax_convolution(x, w, stride)
