"""Layer normalisation."""

import chex
import jax


def layer_norm(
  x: jax.Array, scale: jax.Array, offset: jax.Array, eps: float = 1e-5
) -> jax.Array:
  """(x - mean) / sqrt(variance + eps) * scale + offset, before an activation.

  Ba, Kiros and Hinton, "Layer Normalization", 2016. Mean and variance are over
  all of an example: its units, and the positions of an image with them.

  Args:
    x: `[B, ..., units]`.
    scale: `[units]`, ones at the start.
    offset: `[units]`, zeros at the start.
    eps: 1e-5.
  """
  chex.assert_rank(scale, 1)
  chex.assert_equal_shape([scale, offset])
  chex.assert_shape(x, (None, ..., *scale.shape))
  axes = tuple(range(1, x.ndim))
  mean = x.mean(axes, keepdims=True)
  variance = x.var(axes, keepdims=True)
  return (x - mean) * jax.lax.rsqrt(variance + eps) * scale + offset
