"""Random shifts of images."""

import jax
import jax.numpy as jnp


def random_shift(keys: jax.Array, images: jax.Array, pad: int) -> jax.Array:
  """Pads images by their edges and crops them again, each somewhere else.

  Both offsets are uniform on 0 ... 2 pad. Kostrikov et al., 2020. The crop of
  an image depends on its own key alone.

  Args:
    keys: of each image, `[B, 2]`. Consumed.
    images: `[B, H, W, C]`, of any type.
    pad: pixels.
  """
  size = (2 * pad,) * 2
  padded = jnp.pad(images, ((0, 0), (pad, pad), (pad, pad), (0, 0)), 'edge')

  def crop(key, image):
    row, column = jax.random.randint(key, (2,), 0, size[0] + 1)
    shape = (image.shape[0] - size[0], image.shape[1] - size[1])
    return jax.lax.dynamic_slice(
        image, (row, column, 0), (*shape, image.shape[2])
    )

  return jax.vmap(crop)(keys, padded)
