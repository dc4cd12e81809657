"""Random shifts of images."""

import chex
import jax
import jax.numpy as jnp


def random_shift(keys: jax.Array, images: jax.Array, pad: int) -> jax.Array:
  """Pads images with their edge pixels and crops them at a random offset.

  Both offsets are uniform on 0 ... 2 pad. Kostrikov et al., 2020. The offsets
  of an image depend only on its key. The padded image is never built: rows and
  columns outside the image are read from its nearest edge.

  Args:
    keys: one key for each image, `[B, 2]`. Consumed.
    images: images of any dtype, `[B, H, W, C]`.
    pad: largest shift, in pixels.

  Returns:
    The shifted images, `[B, H, W, C]`.
  """
  chex.assert_rank(images, 4)
  chex.assert_shape(keys, (images.shape[0], 2))

  def along(size: int, offset: jax.Array) -> jax.Array:
    return jnp.clip(jnp.arange(size) + offset - pad, 0, size - 1)

  def crop(key: jax.Array, image: jax.Array) -> jax.Array:
    row, column = jax.random.randint(key, (2,), 0, 2 * pad + 1)
    height, width, _ = image.shape
    return image[along(height, row)][:, along(width, column)]

  return jax.vmap(crop)(keys, images)
