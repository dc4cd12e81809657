"""Units that are weak beside the others of their layer (ReDo's score)."""

import jax
import jax.numpy as jnp

from plasticity_rl.diagnostics.base import Probe
from plasticity_rl.diagnostics.base import by_hidden_layer
from plasticity_rl.interventions.units import dormancy as dormancy


def dormant_units(probe: Probe, tau: float = 0.025) -> dict[str, jax.Array]:
  """Fraction of hidden units with s_i <= tau, by layer, encoder and head."""
  return by_hidden_layer(
      probe, lambda h: (dormancy(h) <= tau).astype(jnp.float32)
  )
