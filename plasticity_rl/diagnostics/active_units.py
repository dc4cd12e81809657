"""Units that are active: the complement that the literature also reports."""

import jax
import jax.numpy as jnp

from plasticity_rl.diagnostics.base import Probe
from plasticity_rl.diagnostics.base import by_hidden_layer
from plasticity_rl.measures import units


def active_units(probe: Probe, threshold: float = 0.0) -> dict[str, jax.Array]:
  """FAU: fraction of hidden units whose mean activation is above `threshold`.

      1/N sum_n 1[E_x h_n(x) > threshold]

  Ma et al., "Revisiting Plasticity in Visual Reinforcement Learning", 2023,
  with their threshold of zero; by layer, encoder and head. A unit of a
  convolution is a channel, averaged over positions. After a ReLU it is one
  minus `dead_units`; of an activation that may be negative it is not.
  """
  return by_hidden_layer(
    probe, lambda h, k: units.is_active(h, k, threshold).astype(jnp.float32)
  )
