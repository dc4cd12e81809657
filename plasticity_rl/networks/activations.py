"""Activations by name; some make two features of a unit."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp


class Activation(NamedTuple):
  """A non-linearity.

  Attributes:
    function: `[B, ..., U] -> [B, ..., U * features_per_unit]`.
    features_per_unit: features i, i + U, ... are those of unit i.
  """

  function: Callable[[jax.Array], jax.Array]
  features_per_unit: int = 1


def crelu(x: jax.Array) -> jax.Array:
  """[relu(x), relu(-x)] on the last axis, so that no unit can die.

  Shang et al., "Understanding and Improving CNNs via Concatenated ReLUs",
  2016; against loss of plasticity, Abbas et al., 2023.
  """
  return jnp.concatenate([jax.nn.relu(x), jax.nn.relu(-x)], -1)


def fourier(x: jax.Array) -> jax.Array:
  """[sin(x), cos(x)] on the last axis: deep Fourier features.

  Lewandowski, Schuurmans and Machado, "Plastic Learning with Deep Fourier
  Features", 2024: where one of the two bends, the other is nearly linear.
  """
  return jnp.concatenate([jnp.sin(x), jnp.cos(x)], -1)


ACTIVATIONS = {
    'relu': Activation(jax.nn.relu),
    'crelu': Activation(crelu, 2),
    'fourier': Activation(fourier, 2),
    'leaky_relu': Activation(jax.nn.leaky_relu),  # Slope 0.01.
    'elu': Activation(jax.nn.elu),
    'gelu': Activation(jax.nn.gelu),
    'silu': Activation(jax.nn.silu),
    'tanh': Activation(jnp.tanh),
}
