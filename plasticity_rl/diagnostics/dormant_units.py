"""Units that are weak beside the others of their layer (ReDo's score)."""

import jax
import jax.numpy as jnp

from plasticity_rl.diagnostics.base import Probe
from plasticity_rl.diagnostics.base import by_hidden_layer
from plasticity_rl.diagnostics.base import unit_activity


def dormancy(features: jax.Array) -> jax.Array:
  """s_i = mean |h_i| / (mean over units of mean |h|), `[B, ..., U] -> [U]`.

  Sokar et al., "The Dormant Neuron Phenomenon in Deep RL", 2023. A layer of
  zeros scores zero.
  """
  activity = unit_activity(features)
  mean = activity.mean()
  return jnp.where(mean > 0, activity / jnp.where(mean > 0, mean, 1), 0)


def dormant_units(probe: Probe, tau: float = 0.025) -> dict[str, jax.Array]:
  """Fraction of hidden units with s_i <= tau, by layer, encoder and head."""
  return by_hidden_layer(
      probe, lambda h: (dormancy(h) <= tau).astype(jnp.float32)
  )
