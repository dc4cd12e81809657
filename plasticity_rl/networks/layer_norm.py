"""Layer normalisation."""

import chex
import jax


def layer_norm(
  x: jax.Array, scale: jax.Array, offset: jax.Array, eps: float = 1e-5
) -> jax.Array:
  """(x - mean) / sqrt(variance + eps) * scale + offset, before an activation.

  Ba, Kiros and Hinton, "Layer Normalization", 2016. Mean and variance are over
  all values of an example: over the units and, in images, over all positions.

  Args:
    x: preactivations, `[B, ..., units]`.
    scale: trainable scale, `[units]`, initially ones.
    offset: trainable offset, `[units]`, initially zeros.
    eps: constant in the denominator.

  Returns:
    The normalised preactivations, `[B, ..., units]`.
  """
  chex.assert_rank(scale, 1)
  chex.assert_equal_shape([scale, offset])
  chex.assert_shape(x, (None, ..., *scale.shape))
  axes = tuple(range(1, x.ndim))
  mean = x.mean(axes, keepdims=True)
  variance = x.var(axes, keepdims=True)
  return (x - mean) * jax.lax.rsqrt(variance + eps) * scale + offset
