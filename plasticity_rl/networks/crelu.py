"""Concatenated ReLU."""

import jax
import jax.numpy as jnp


def crelu(x: jax.Array) -> jax.Array:
  """[relu(x), relu(-x)] on the last axis, so that no unit can die.

  Shang et al., "Understanding and Improving CNNs via Concatenated ReLUs",
  2016; against loss of plasticity, Abbas et al., 2023.
  """
  return jnp.concatenate([jax.nn.relu(x), jax.nn.relu(-x)], -1)
