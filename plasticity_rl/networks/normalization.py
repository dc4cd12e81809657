"""Layer and weight normalisation, and the weights that a layer multiplies by.

What they learn lies beside the layer's `w` and `b`, so that whatever draws a
layer again draws it too: `g` of weight normalisation, `scale` and `offset` of
layer normalisation, each `[units]`.
"""

from collections.abc import Mapping

import jax
import jax.numpy as jnp


def norms(w: jax.Array) -> jax.Array:
  """||w_u|| of each unit's incoming weights, `[..., units] -> [units]`."""
  squares = jnp.sum(jnp.square(w), tuple(range(w.ndim - 1)))
  return jnp.sqrt(jnp.maximum(squares, 1e-24))  # Of zeros, no NaN gradient.


def weight_norm(w: jax.Array, g: jax.Array) -> jax.Array:
  """W_u = g_u w_u / ||w_u|| for each unit u.

  Salimans and Kingma, "Weight Normalization", 2016; `w` is their v. They set g
  and b from a first batch of data; here g starts as ||w||, so that the network
  starts as the one without weight normalisation.
  """
  return w * (g / norms(w))


def effective_weight(layer: Mapping[str, jax.Array]) -> jax.Array:
  """What a layer multiplies by: its `w`, normalised where it has a `g`."""
  if 'g' in layer:
    return weight_norm(layer['w'], layer['g'])
  return layer['w']


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
  axes = tuple(range(1, x.ndim))
  mean = x.mean(axes, keepdims=True)
  variance = x.var(axes, keepdims=True)
  return (x - mean) * jax.lax.rsqrt(variance + eps) * scale + offset
