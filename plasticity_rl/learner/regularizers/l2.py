"""Squared distance of all weights from zero."""

import jax
import jax.numpy as jnp

from plasticity_rl import injection
from plasticity_rl.types import Params


def l2(params: Params) -> jax.Array:
  """||theta||^2 over all that learns, weights and biases.

  Not halved, as in Kumar et al. (2023), so that its coefficient compares with
  that of `l2_init`: the gradient is 2 theta, and a coefficient of c under
  plain gradient descent is a weight decay of 2 c.

  Args:
    params: parameters, perhaps injected.
  """
  return sum(
    (
      jnp.sum(jnp.square(x))
      for x in jax.tree.leaves(injection.trainable(params))
    ),
    start=jnp.zeros([]),
  )
