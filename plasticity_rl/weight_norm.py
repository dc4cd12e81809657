"""Weight normalisation, and the weights that a layer multiplies by."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp


def norms(w: jax.Array) -> jax.Array:
  """||w_u|| of each unit's incoming weights, `[..., units] -> [units]`."""
  squares = jnp.sum(jnp.square(w), tuple(range(w.ndim - 1)))
  return jnp.sqrt(jnp.maximum(squares, 1e-24))  # Of zeros, no NaN gradient.


def weight_normalization(w: jax.Array, g: jax.Array) -> jax.Array:
  """W_u = g_u w_u / ||w_u|| for each unit u.

  Salimans and Kingma, "Weight Normalization", 2016; `w` is their v. They set g
  and b from a first batch of data; here g starts as ||w||, so that the network
  starts as the one without weight normalisation.
  """
  return w * (g / norms(w))


def effective_weight(
  layer: Mapping[str, jax.Array], weight: str = 'w'
) -> jax.Array:
  """What a layer multiplies by: its weights, normalised where it has a `g`.

  Args:
    layer: what the parameters hold of it.
    weight: key of its weights.
  """
  if 'g' in layer:
    return weight_normalization(layer[weight], layer['g'])
  return layer[weight]
