"""How far weights are from isometries (FIRE's measure)."""

import jax

from plasticity_rl.diagnostics.base import Probe
from plasticity_rl.diagnostics.base import of_layer
from plasticity_rl.measures import weights
from plasticity_rl.methods.fire import scale_of
from plasticity_rl.weight_norm import effective_weight


def deviation_from_isometry(probe: Probe) -> dict[str, jax.Array]:
  """DfI: ||W^T W - I||_F^2 of each layer's W / s, and their sum.

  W are the weights that a layer multiplies by, without biases (of a wide matrix
  W W^T counts, of a convolution the sum over the positions of its kernel), and
  s is the scale of the intervention `fire`, sqrt(d_out / d_in) over the number
  of positions: zero is where that would change nothing. Han et al., "FIRE",
  2026, define it of W alone, which is `measures.deviation_from_isometry`.

  Returns:
    A value for each layer's name, and 'trainable' for the sum.
  """

  def one(layer):
    own = of_layer(probe.learns, layer)
    w = effective_weight(own, layer.weight)
    return weights.isometry_deviation_of(w, scale_of(w))

  values = {layer.name: one(layer) for layer in probe.net.layers}
  return {**values, 'trainable': sum(values.values())}
