"""Units whose incoming weights get little gradient (ReGraMa's score)."""

import jax
import jax.numpy as jnp

from plasticity_rl.diagnostics.base import Probe
from plasticity_rl.diagnostics.base import of_layer
from plasticity_rl.diagnostics.base import with_parts
from plasticity_rl.measures import gradients


def grama(probe: Probe, tau: float = 0.01) -> dict[str, jax.Array]:
  """GraMa ratio: fraction of hidden units with G_i <= tau.

  G_i is the mean |gradient| of a unit's incoming weights over that of its
  layer's units; Liu et al., "Measure Gradients, Not Activations!", 2025, with
  their threshold. By layer, encoder and head, of the gradient of the mean loss
  on the probe batch, without penalties. Of plain arrays it is `measures.grama`.
  """
  units = {
    layer.name: gradients.is_inactive(
      of_layer(probe.gradient, layer)[layer.weight], tau
    )
    for layer in probe.net.layers
    if layer.hidden
  }
  return {
    where: found.astype(jnp.float32).mean()
    for where, found in with_parts(probe.net, units).items()
  }
