"""Units that are weak beside the others of their layer (ReDo's score)."""

import jax
import jax.numpy as jnp

from plasticity_rl.diagnostics.base import Probe
from plasticity_rl.diagnostics.base import by_hidden_layer
from plasticity_rl.diagnostics.base import hidden_units
from plasticity_rl.diagnostics.base import of_layer
from plasticity_rl.diagnostics.base import with_parts
from plasticity_rl.measures import units
from plasticity_rl.types import NetSpec
from plasticity_rl.types import Params


def dormant_units(probe: Probe, tau: float = 0.025) -> dict[str, jax.Array]:
  """Fraction of hidden units with s_i <= tau, by layer, encoder and head.

  s_i is a unit's mean |h| over that of its layer's units; Sokar et al., "The
  Dormant Neuron Phenomenon in Deep RL", 2023. Of plain arrays it is
  `measures.dormancy`.
  """
  return by_hidden_layer(
    probe, lambda h, k: units.is_dormant(h, k, tau).astype(jnp.float32)
  )


def dormant_sets(probe: Probe, tau: float = 0.025) -> dict[str, jax.Array]:
  """Whether each unit is dormant, bool `[U]` by hidden layer."""
  return hidden_units(probe, lambda h, k: units.is_dormant(h, k, tau))


def no_dormant_sets(net: NetSpec, learns: Params) -> dict[str, jax.Array]:
  """`dormant_sets` before any measurement; `learns` as in `Probe.learns`."""
  return {
    layer.name: jnp.zeros(of_layer(learns, layer)[layer.weight].shape[-1], bool)
    for layer in net.layers
    if layer.hidden
  }


def dormant_overlap(probe: Probe, tau: float = 0.025) -> dict[str, jax.Array]:
  """Overlap of the dormant units now, N, and at the last measurement, M.

      |N & M| / min(|N|, |M|)

  The sets are of units with s_i <= tau. By layer, and over the units of the
  encoder and of the head; NaN where one of the sets is empty, as M is at first.
  Sokar et al. (2023) use this coefficient to show that dormant units stay
  dormant; here it is between measurements `diagnostics.every_steps` apart. An
  arm's measurement at the fork is compared with the last one of the prefix, and
  is not remembered.
  """
  now = with_parts(probe.net, dormant_sets(probe, tau))
  before = with_parts(probe.net, probe.memory)
  return {
    where: units.overlap_of(dormant, before[where])
    for where, dormant in now.items()
  }
