"""Deep Fourier features."""

import jax
import jax.numpy as jnp


def fourier(x: jax.Array) -> jax.Array:
  """[sin(x), cos(x)], joined on the last axis: deep Fourier features.

  Lewandowski, Schuurmans and Machado, "Plastic Learning with Deep Fourier
  Features", 2024. At any x, at least one of the two is nearly linear.
  """
  return jnp.concatenate([jnp.sin(x), jnp.cos(x)], -1)
