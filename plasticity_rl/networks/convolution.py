"""Convolutions in the form that is fastest on each backend.

On CPUs, convolutions of XLA are several times slower inside a `lax.scan` than
outside, and compiled training is a scan. Convolutions written as shifted slices
and one matrix product do not have this problem. Outside a loop they take twice
as long as XLA's convolutions. GPU and TPU always use XLA's convolutions.
"""

import chex
import jax
import jax.numpy as jnp

from plasticity_rl.networks.product import product

FORMS = ('auto', 'lax', 'slices')
# Patches of so few channels are put together column by column, then row by row:
# fewer and longer pieces. MinAtar's update took .94 of its time; that of the
# Nature network, whose pieces are long, would take 1.03 of it.
FEW_CHANNELS = 16


def lax_convolution(x: jax.Array, w: jax.Array, stride: int) -> jax.Array:
  """VALID convolution of `[B, H, W, C]` with `[k, k, C, D]`."""
  return jax.lax.conv_general_dilated(
    x,
    w,
    (stride, stride),
    'VALID',
    dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
  )


def sliced_convolution(x: jax.Array, w: jax.Array, stride: int) -> jax.Array:
  """Computes `lax_convolution` as slices and one matrix product.

  If the stride divides the kernel size, blocks of stride x stride pixels become
  channels, and the convolution of these blocks has stride 1. It has fewer and
  longer slices.
  """
  kernel, _, channels, filters = w.shape
  height, width = ((size - kernel) // stride + 1 for size in x.shape[1:3])
  if stride > 1 and kernel % stride == 0:
    blocks = kernel // stride
    x = _to_blocks(
      x[:, : stride * (height - 1 + blocks), : stride * (width - 1 + blocks)],
      stride,
    )
    w = _to_blocks(w.transpose(3, 0, 1, 2), stride).transpose(1, 2, 3, 0)
    kernel, channels, stride = blocks, w.shape[2], 1
  columns = [
    x[:, :, j : j + stride * (width - 1) + 1 : stride] for j in range(kernel)
  ]
  if channels < FEW_CHANNELS:
    columns = [jnp.concatenate(columns, -1)]
  patches = jnp.concatenate(
    [
      column[:, i : i + stride * (height - 1) + 1 : stride]
      for i in range(kernel)
      for column in columns
    ],
    axis=-1,
  )
  return product(patches, w.reshape(kernel * kernel * channels, filters))


def _to_blocks(x, size):
  """Space to depth: `[B, H / size, W / size, size * size * C]`."""
  batch, height, width, channels = x.shape
  x = x.reshape(batch, height // size, size, width // size, size, channels)
  return x.transpose(0, 1, 3, 2, 4, 5).reshape(
    batch, height // size, width // size, size * size * channels
  )


def resolve(form: str, in_loop: bool = True) -> str:
  """Replaces 'auto' by the faster form on this backend.

  Args:
    form: one of `FORMS`.
    in_loop: whether the network runs inside a `lax.scan`, or for several seeds
      at once under `vmap`.

  Returns:
    'lax' or 'slices'.
  """
  if form != 'auto':
    return form
  is_slow = jax.default_backend() == 'cpu' and in_loop
  return 'slices' if is_slow else 'lax'


def convolve(
  x: jax.Array, w: jax.Array, stride: int, form: str = 'auto'
) -> jax.Array:
  """VALID convolution of `[B, H, W, C]` with `[k, k, C, D]`.

  Args:
    x: images.
    w: filters.
    stride: stride of both axes.
    form: one of `FORMS`.

  Returns:
    `[B, (H - k) // stride + 1, (W - k) // stride + 1, D]`.
  """
  chex.assert_rank(x, 4)
  chex.assert_shape(w, (None, None, x.shape[-1], None))
  if resolve(form) == 'slices':
    return sliced_convolution(x, w, stride)
  return lax_convolution(x, w, stride)
