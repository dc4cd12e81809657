"""Deep Fourier features."""

import jax
import jax.numpy as jnp


def fourier(x: jax.Array) -> jax.Array:
  """[sin(x), cos(x)] on the last axis: deep Fourier features.

  Lewandowski, Schuurmans and Machado, "Plastic Learning with Deep Fourier
  Features", 2024: where one of the two bends, the other is nearly linear.
  """
  return jnp.concatenate([jnp.sin(x), jnp.cos(x)], -1)
