"""Euclidean norm of the weights, and how it has grown."""

import jax

from plasticity_rl import injection
from plasticity_rl.diagnostics.base import Probe
from plasticity_rl.diagnostics.base import by_layer
from plasticity_rl.measures import weights


def weight_norm(probe: Probe) -> dict[str, jax.Array]:
  """||theta||_2 of each layer (weights and biases) and of the network.

  After injection the layers are those that learn; 'trainable' is the norm of
  them together, 'all' counts the frozen heads as well.
  """
  frozen_too = dict(probe.params)
  head = frozen_too[injection.HEAD]
  if isinstance(head, injection.InjectedHead):
    # A closed slot is no part of the network.
    frozen_too[injection.HEAD] = (
      head.trainable,
      head.thawed,
      jax.tree.map(
        lambda x: x * (head.signs != 0).reshape(-1, *[1] * (x.ndim - 1)),
        head.frozen,
      ),
    )
  return {
    **by_layer(probe.net, weights.norm_of, probe.learns),
    'all': weights.norm_of(frozen_too),
  }


def weight_growth(probe: Probe) -> dict[str, jax.Array]:
  """||theta||_2 / ||theta_0||_2, by layer and of all that learns.

  theta_0 are the weights as they were drawn; what an intervention draws again
  starts anew. Infinite where theta_0 is zero.
  """
  return by_layer(
    probe.net, weights.growth_of, probe.learns, probe.state.initial
  )
