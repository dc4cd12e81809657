"""Concatenated ReLU."""

import jax
import jax.numpy as jnp


def crelu(x: jax.Array) -> jax.Array:
  """[relu(x), relu(-x)], joined on the last axis. No unit can be dead.

  Shang et al., "Understanding and Improving CNNs via Concatenated ReLUs",
  2016. Abbas et al., 2023, use it against loss of plasticity.
  """
  return jnp.concatenate([jax.nn.relu(x), jax.nn.relu(-x)], -1)
