"""Activations by name. Some return two features for each unit."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from plasticity_rl.networks.crelu import crelu
from plasticity_rl.networks.fourier import fourier


class Activation(NamedTuple):
  """A non-linearity.

  Attributes:
    function: `[B, ..., U] -> [B, ..., U * features_per_unit]`.
    features_per_unit: number of features for each unit; features i, i + U, ...
      belong to unit i.
    bounds: between which it saturates, if it does.
  """

  function: Callable[[jax.Array], jax.Array]
  features_per_unit: int = 1
  bounds: tuple[float, float] | None = None


ACTIVATIONS = {
  'relu': Activation(jax.nn.relu),
  'crelu': Activation(crelu, 2),
  'fourier': Activation(fourier, 2),
  'leaky_relu': Activation(jax.nn.leaky_relu),  # Slope 0.01.
  'elu': Activation(jax.nn.elu),
  'gelu': Activation(jax.nn.gelu),
  'silu': Activation(jax.nn.silu),
  'tanh': Activation(jnp.tanh, bounds=(-1.0, 1.0)),
}
