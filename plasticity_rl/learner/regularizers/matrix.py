"""A layer's weights as a matrix."""

import jax


def as_matrix(w: jax.Array) -> jax.Array:
  """A layer's weights as W, `[outputs, inputs]`, which multiplies a column.

  `w` is `[inputs, outputs]` of a dense layer, or `[height, width, channels,
  filters]` of a convolution, whose rows are then flattened filters.
  """
  return w.reshape(-1, w.shape[-1]).T
