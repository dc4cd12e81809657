"""Random shifts of images."""

import chex
import jax
import jax.numpy as jnp


def random_shift(keys: jax.Array, images: jax.Array, pad: int) -> jax.Array:
  """Pads images by their edges and crops them again, each somewhere else.

  Both offsets are uniform on 0 ... 2 pad. Kostrikov et al., 2020. The crop of
  an image depends on its own key alone. Nothing is padded in fact: rows and
  columns beyond an edge are that edge's.

  Args:
    keys: of each image, `[B, 2]`. Consumed.
    images: `[B, H, W, C]`, of any type.
    pad: pixels.
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
