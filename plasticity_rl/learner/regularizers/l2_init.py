"""Squared distance of all weights from where they began."""

import jax
import jax.numpy as jnp

from plasticity_rl import injection
from plasticity_rl.learner.regularizers.l2 import l2
from plasticity_rl.types import Params


def l2_init(params: Params, initial: Params) -> jax.Array:
  """||theta - theta_0||^2 over all that learns, weights and biases.

  Kumar, Marklund and Van Roy, "Maintaining Plasticity in Continual Learning
  via Regenerative Regularization", 2023. theta_0 is what was drawn; of what is
  drawn again by an injection or a reset it is the new draw, so that both start
  without a penalty. (The paper has no such events.)

  Args:
    params: parameters, perhaps injected.
    initial: theta_0, `NetState.initial`.
  """
  return l2(jax.tree.map(jnp.subtract, injection.trainable(params), initial))
