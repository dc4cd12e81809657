"""How far the weights have come, and how far an update takes them."""

import jax

from plasticity_rl import injection
from plasticity_rl.diagnostics.base import Probe
from plasticity_rl.diagnostics.base import by_layer
from plasticity_rl.measures import weights


def distance_from_init(probe: Probe) -> dict[str, jax.Array]:
  """||theta - theta_0||_2, by layer and of all that learns.

  theta_0 are the weights as they were drawn; what an intervention draws again
  starts anew.
  """
  return by_layer(
    probe.net, weights.distance_of, probe.learns, probe.state.initial
  )


def update_ratio(probe: Probe) -> dict[str, jax.Array]:
  """||theta' - theta||_2 / ||theta||_2, by layer and of all that learns.

  theta' are the weights after one more update on the probe batch, with the
  optimizer as it is. An update in training is on fewer examples, so that its
  gradient is noisier.
  """
  return by_layer(
    probe.net,
    weights.ratio_of,
    injection.trainable(probe.updated().params),
    probe.learns,
  )
