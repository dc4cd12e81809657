"""TRAC: how far to go from the initial parameters, tuned while learning."""

import math
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import optax

from plasticity_rl.types import Params

DISCOUNTS = (0.9, 0.99, 0.999, 0.9999, 0.99999, 0.999999)
_EPS = 1e-8
_LIMIT = 9.0  # Of erfi's argument: erfi(9.4) overflows float32.


class ScaleByTracState(NamedTuple):
  """State of `scale_by_trac`.

  Attributes:
    direction: state of the transformation d.
    total: D, in the structure of the parameters.
    scale: S, a scalar.
    sigma: discounted sums of h, one for each discount.
    variance: discounted sums of h^2.
  """

  direction: Any
  total: Any
  scale: jax.Array
  sigma: jax.Array
  variance: jax.Array


def scale_by_trac(
  direction: optax.GradientTransformation,
) -> optax.GradientTransformation:
  """Scales the whole way from the initial parameters, without a parameter.

      h = <g, D>
      v_j <- beta_j^2 v_j + h^2,    sigma_j <- beta_j sigma_j + h
      S = max(0, sum_j 1e-8 erfi(sigma_j / sqrt(2 v_j)) / erfi(1 / sqrt(2)))
      D <- D + d(g)
      theta = theta_0 - rate S D,    rate the learning rate

  Muppidi, Zhang and Yang, "Fast TRAC: A Parameter-Free Optimizer for Lifelong
  Reinforcement Learning", 2024, of which this follows the public code. Without
  the tuner, d would be at theta_0 - rate D; h is positive as long as going on
  in its direction lowers the loss. Then S grows from 1e-8 like the exponential
  of sigma^2 / (2 v); otherwise it shrinks, and with it the distance from
  theta_0. The learning rate is that of d, and matters little: the authors'
  example has Adam with 1e-3.

  Deviations from the authors' code:

  - It divides theta - theta_0 by S to recover D, and starts from S above zero
    to be able to. Here D is stored instead of theta_0. So whatever else moves
    the parameters moves theta_0 along, and a weight that is drawn again starts
    from its new value, with D = 0. The first update is zero.
  - The sums are over the parameters of this transformation. Under
    `injection.grouped` encoder and head have an S each; after an injection the
    new head has its own theta_0 and starts from S = 0.

  Args:
    direction: d, for example `optax.scale_by_adam()`.

  Returns:
    The optax transformation: updates S D of now minus S D of before.
  """
  betas = jnp.array(DISCOUNTS)

  def init(params: Params) -> ScaleByTracState:
    return ScaleByTracState(
      direction.init(params),
      optax.tree.zeros_like(params),
      jnp.zeros([]),
      jnp.zeros(betas.shape),
      jnp.zeros(betas.shape),
    )

  def update(gradients, state, params=None):
    chex.assert_trees_all_equal_shapes(gradients, state.total)
    directions, direction_state = direction.update(
      gradients, state.direction, params
    )
    h = optax.tree.vdot(gradients, state.total)
    variance = betas**2 * state.variance + h**2
    sigma = betas * state.sigma + h
    scale = tuned_scale(sigma, variance)
    total = jax.tree.map(jnp.add, state.total, directions)
    updates = jax.tree.map(
      lambda new, old: scale * new - state.scale * old, total, state.total
    )
    return updates, ScaleByTracState(
      direction_state, total, scale, sigma, variance
    )

  return optax.GradientTransformation(init, update)


def tuned_scale(sigma: jax.Array, variance: jax.Array) -> jax.Array:
  """S of `scale_by_trac`: the sum of one tuner for each discount.

  Args:
    sigma: discounted sums of h, `[discounts]`.
    variance: discounted sums of h^2, `[discounts]`.

  Returns:
    S, a scalar, not negative.
  """
  chex.assert_equal_shape([sigma, variance])
  x = sigma / (math.sqrt(2) * jnp.sqrt(variance) + _EPS)
  tuners = _EPS * erfi(x) / erfi(jnp.array(math.sqrt(0.5)))
  return jnp.maximum(tuners.sum(), 0)


def erfi(x: jax.Array) -> jax.Array:
  """The imaginary error function, 2 / sqrt(pi) int_0^x exp(t^2) dt.

  By Rybicki's sum for Dawson's integral, with a step of 0.4; the relative
  error in float32 is below 1e-5. Arguments beyond +-9 are as +-9.

  Args:
    x: of any shape.

  Returns:
    The values, in the shape of x.
  """
  size = jnp.minimum(jnp.abs(x), _LIMIT)[..., None]
  odd = 2 * jnp.arange(18) + 1
  at = 0.4 * odd
  # 2 exp(-at^2) sinh(2 at size), exact near zero and without overflow.
  terms = -jnp.exp(2 * at * size - at**2) * jnp.expm1(-4 * at * size)
  return jnp.sign(x) * 2 / math.pi * (terms / odd).sum(-1)
