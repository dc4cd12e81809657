"""Gaussian policies squashed by tanh: actions and their log probabilities."""

from collections.abc import Callable

import chex
import jax
import jax.numpy as jnp

from plasticity_rl import settings
from plasticity_rl.networks.actor_critic import Gaussian

# Maps log std `[B, A]`, as the network outputs it, into its bounds.
Bound = Callable[[jax.Array], jax.Array]


def bound(config: settings.SACConfig) -> Bound:
  """The function that keeps log standard deviations within their bounds."""
  low, high = config.log_std_min, config.log_std_max

  def by_tanh(x: jax.Array) -> jax.Array:
    return low + 0.5 * (high - low) * (1 + jnp.tanh(x))

  def by_clip(x: jax.Array) -> jax.Array:
    return jnp.clip(x, low, high)

  return by_tanh if config.log_std_bound == 'tanh' else by_clip


def sample(
  outputs: Gaussian, noise: jax.Array, bounded: Bound
) -> tuple[jax.Array, jax.Array]:
  """Samples a = tanh(u) with u = mean + std * noise, and returns log pi(a).

      log pi(a) = sum_i log N(u_i; mean_i, std_i) - log(1 - tanh(u_i)^2)

  Haarnoja et al., "Soft Actor-Critic Algorithms and Applications", 2018,
  appendix C. The last term is computed as 2 (log 2 - u - softplus(-2 u)), which
  stays finite for large |u|.

  Args:
    outputs: outputs of the actor, `[B, A]`.
    noise: standard normal, `[B, A]`.
    bounded: see `bound`.

  Returns:
    Actions in [-1, 1], `[B, A]`, and log pi, `[B]`.
  """
  chex.assert_rank(noise, 2)
  chex.assert_equal_shape([outputs.mean, outputs.log_std, noise])
  log_std = bounded(outputs.log_std)
  u = outputs.mean + jnp.exp(log_std) * noise
  log_normal = -0.5 * (jnp.square(noise) + jnp.log(2 * jnp.pi)) - log_std
  log_slope = 2 * (jnp.log(2.0) - u - jax.nn.softplus(-2 * u))
  return jnp.tanh(u), (log_normal - log_slope).sum(-1)


def mode(outputs: Gaussian) -> jax.Array:
  """The action without noise, tanh(mean), `[B, A]`."""
  return jnp.tanh(outputs.mean)
