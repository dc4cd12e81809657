"""Units that are zero on every example."""

import jax
import jax.numpy as jnp

from plasticity_rl.diagnostics.base import Probe
from plasticity_rl.diagnostics.base import by_hidden_layer
from plasticity_rl.measures import units


def dead_units(probe: Probe) -> dict[str, jax.Array]:
  """Fraction of hidden units whose features are zero on the whole probe batch.

  By layer, and over all hidden units of the encoder and of the head. A
  channel is dead if it is zero at every position.
  """
  return by_hidden_layer(
    probe, lambda h, k: units.is_dead(h, k).astype(jnp.float32)
  )
