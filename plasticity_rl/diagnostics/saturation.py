"""Units of bounded activations that are near their bounds."""

import jax

from plasticity_rl.diagnostics.base import Probe
from plasticity_rl.diagnostics.base import with_parts
from plasticity_rl.measures import units


def saturation(probe: Probe, margin: float = 0.05) -> dict[str, jax.Array]:
  """Share of outputs of bounded units that are within `margin` of a bound.

  Of layers behind tanh (`Layer.bounds`), by layer, encoder and head: |h| > 0.9
  with the margin of 0.05 of the range, where the derivative is below 19 % of
  its largest. Other layers, whose units cannot saturate on both sides, are left
  out. Glorot and Bengio, "Understanding the Difficulty of Training Deep
  Feedforward Neural Networks", 2010, watch units saturate; the margin is our
  choice.
  """
  found = {
    layer.name: units.saturation_of(
      probe.output.layers[layer.name], *layer.bounds, margin
    )
    for layer in probe.net.layers
    if layer.bounds
  }
  return {
    where: values.mean()
    for where, values in with_parts(probe.net, found).items()
  }
