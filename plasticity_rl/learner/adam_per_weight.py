"""Adam with a separate step count for each weight."""

from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import optax

from plasticity_rl.types import Params


class ScaleByAdamPerWeightState(NamedTuple):
  """State of `scale_by_adam_per_weight`, in the shapes of the parameters.

  Attributes:
    count: updates since the moments of a weight were zero, int32.
    mu: first moments.
    nu: second moments.
  """

  count: Any
  mu: Any
  nu: Any


def scale_by_adam_per_weight(
  b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8
) -> optax.GradientTransformation:
  """`optax.scale_by_adam` with a step count for each weight.

      mu <- b1 mu + (1 - b1) g,    nu <- b2 nu + (1 - b2) g^2
      update = mu / (1 - b1^count) / (sqrt(nu / (1 - b2^count)) + eps)

  Kingma and Ba, 2015. Without resets it is equal to Adam. An intervention that
  reinitialises some weights sets their count, mu and nu to zero; their next
  updates are then those of a new Adam. A shared count would make these updates
  several times too large, because it almost turns off the bias correction.
  (AdamGnT of Dohare et al., 2021, has these counts too, but its public code
  does not use the bias correction.)

  Args:
    b1: decay of the first moments.
    b2: decay of the second moments.
    eps: constant in the denominator.

  Returns:
    The optax transformation.
  """

  def init(params: Params) -> ScaleByAdamPerWeightState:
    return ScaleByAdamPerWeightState(
      optax.tree.zeros_like(params, dtype=jnp.int32),
      optax.tree.zeros_like(params),
      optax.tree.zeros_like(params),
    )

  def update(gradients, state, params=None):
    del params
    chex.assert_trees_all_equal_shapes(gradients, state.mu)
    count = jax.tree.map(optax.safe_increment, state.count)
    mu = optax.tree.update_moment(gradients, state.mu, b1, 1)
    nu = optax.tree.update_moment(gradients, state.nu, b2, 2)

    def step(n, m, v):
      return (m / (1 - b1**n)) / (jnp.sqrt(v / (1 - b2**n)) + eps)

    updates = jax.tree.map(step, count, mu, nu)
    return updates, ScaleByAdamPerWeightState(count, mu, nu)

  return optax.GradientTransformation(init, update)
