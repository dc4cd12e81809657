"""Norms of the gradient of the mean loss on the probe batch.

By layer and of all that learns. Frozen heads have no gradient; a penalty of
the network is not in the loss. As in Abbas et al., "Loss of Plasticity in
Continual Deep Reinforcement Learning", 2023, who watch L0 and L1.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax

from plasticity_rl.diagnostics.base import Probe
from plasticity_rl.diagnostics.base import by_layer


def gradient_l0(probe: Probe) -> dict[str, jax.Array]:
  """Share of the gradient's entries that are not exactly zero.

  The L0 norm over the number of parameters, so that it falls as the others do
  when gradients vanish, and layers compare.
  """

  def norm(tree):
    size = sum(x.size for x in jax.tree.leaves(tree))
    return _sum(lambda x: x != 0, tree) / size

  return by_layer(probe.net, norm, probe.gradient)


def gradient_l1(probe: Probe) -> dict[str, jax.Array]:
  """sum_i |g_i|."""
  return by_layer(probe.net, lambda t: _sum(jnp.abs, t), probe.gradient)


def gradient_l2(probe: Probe) -> dict[str, jax.Array]:
  """(sum_i g_i^2)^(1/2)."""
  return by_layer(probe.net, optax.tree.norm, probe.gradient)


def _sum(function: Callable[[jax.Array], jax.Array], tree) -> jax.Array:
  return sum(
    jnp.sum(function(x).astype(jnp.float32)) for x in jax.tree.leaves(tree)
  )
