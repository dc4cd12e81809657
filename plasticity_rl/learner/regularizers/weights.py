"""Squared distances of all weights from zero, or from where they began."""

import jax
import jax.numpy as jnp

from plasticity_rl import injection
from plasticity_rl.types import Params


def l2(params: Params) -> jax.Array:
  """||theta||^2 over all that learns, weights and biases.

  Not halved, as in Kumar et al. (2023), so that its coefficient compares with
  that of `l2_init`: the gradient is 2 theta, and a coefficient of c under
  plain gradient descent is a weight decay of 2 c.
  """
  return sum(
      (jnp.sum(jnp.square(x))
       for x in jax.tree.leaves(injection.trainable(params))),
      start=jnp.zeros([]),
  )


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
