"""Euclidean norm of the weights."""

import jax
import optax

from plasticity_rl import injection
from plasticity_rl.diagnostics.base import Probe


def weight_norm(probe: Probe) -> dict[str, jax.Array]:
  """||theta||_2 of each layer (weights and biases) and of the network.

  After injection the layers are those that learn; 'trainable' is the norm of
  them together, 'all' counts the frozen heads as well.
  """
  plain = injection.trainable(probe.params)
  values = {}
  for layer in probe.net.layers:
    tree = plain
    for key in layer.path:
      tree = tree[key]
    values[layer.name] = optax.tree.norm(tree)
  frozen_too = dict(probe.params)
  head = frozen_too[injection.HEAD]
  if isinstance(head, injection.InjectedHead):
    # A closed slot is no part of the network.
    frozen_too[injection.HEAD] = (head.trainable, head.thawed, jax.tree.map(
        lambda x: x * (head.signs != 0).reshape(-1, *[1] * (x.ndim - 1)),
        head.frozen,
    ))
  return {
      **values,
      'trainable': optax.tree.norm(plain),
      'all': optax.tree.norm(frozen_too),
  }
