"""Running statistics of observations and returns, on the device, for one seed.

As `running_statistics` on the host, but in float32, so that mean and variance
are kept rather than sums. All environments of a seed share them; each row of
the statistics, `[E, ...]`, is a copy, so that they lie on devices as the
environments do. What is not kept is left out; with nothing they are empty.
"""

from typing import Any

import jax
import jax.numpy as jnp

from plasticity_rl.shard import Shard
from plasticity_rl.training.running_statistics import LIMIT
from plasticity_rl.training.running_statistics import SMALL

OBSERVATIONS, RETURNS = 'observations', 'returns'


def init(
  num_envs: int, shape: tuple[int, ...], *, observations: bool, returns: bool
) -> dict[str, dict[str, jax.Array]]:
  """Statistics before the first step, `[E, ...]`.

  Args:
    num_envs: E.
    shape: of an observation.
    observations: whether observations are normalised.
    returns: whether rewards are scaled.
  """
  found = {}
  if observations:
    found[OBSERVATIONS] = _moments(num_envs, shape)
  if returns:
    found[RETURNS] = _moments(num_envs, ()) | {
      'now': jnp.zeros(num_envs),
      'largest': jnp.zeros(num_envs),
    }
  return found


def _moments(num_envs, shape):
  return {
    'count': jnp.zeros(num_envs),
    'mean': jnp.zeros((num_envs, *shape)),
    'variance': jnp.zeros((num_envs, *shape)),
  }


def update(
  statistics: dict[str, dict[str, jax.Array]],
  observations: jax.Array,
  rewards: jax.Array,
  last: jax.Array,
  discount: float,
  shard: Shard,
) -> dict[str, dict[str, jax.Array]]:
  """The statistics after a step of every environment of this device.

  The discounted return of an episode so far, G <- discount G + r, is another
  number at every step.

  Args:
    statistics: those of before.
    observations: that are acted on next, `[E, ...]`.
    rewards: `[E]`.
    last: whether an episode ended, `[E]`.
    discount: of G.
    shard: the devices that the environments of a seed are on.
  """
  new = dict(statistics)
  if OBSERVATIONS in new:
    new[OBSERVATIONS] = _joined(new[OBSERVATIONS], observations, shard)
  if RETURNS in new:
    old = new[RETURNS]
    now = discount * old['now'] + rewards
    new[RETURNS] = _joined(old, now, shard) | {
      'now': jnp.where(last, 0.0, now),
      'largest': jnp.maximum(old['largest'], shard.max(jnp.abs(now).max())),
    }
  return new


def _joined(
  moments: dict[str, Any], x: jax.Array, shard: Shard
) -> dict[str, jax.Array]:
  """Count, mean and variance after `x`, `[E, ...]` of each device.

  The m numbers of all devices, of mean b and variance w, join the n of before
  (Chan, Golub and LeVeque, 1979):

      mean <- mean + d m / (n + m),    d = b - mean,
      variance <- variance + (m (w - variance) + d^2 n m / (n + m)) / (n + m).
  """
  names = ('count', 'mean', 'variance')
  n, mean, variance = (moments[name][0] for name in names)
  x = x.astype(jnp.float32)
  m = len(x) * shard.count
  batch_mean = shard.sum(x.sum(0)) / m
  batch_variance = shard.sum(jnp.square(x - batch_mean).sum(0)) / m
  total, d = n + m, batch_mean - mean
  spread = m * (batch_variance - variance) + jnp.square(d) * (n * m / total)
  new = (total, mean + d * (m / total), variance + spread / total)
  return {
    name: jnp.broadcast_to(value, moments[name].shape)
    for name, value in zip(names, new, strict=True)
  }


def normalize(
  statistics: dict[str, dict[str, jax.Array]], observations: jax.Array
) -> jax.Array:
  """(x - mean) / deviation, clipped, in float32, `[..., *shape]`.

  With fewer than two observations, x is only cast to float32; without their
  statistics it is returned as it is.
  """
  if OBSERVATIONS not in statistics:
    return observations
  moments, x = statistics[OBSERVATIONS], observations.astype(jnp.float32)
  n = moments['count'][0]
  variance = moments['variance'][0] * (n / jnp.maximum(n - 1, 1))
  normalized = (x - moments['mean'][0]) / jnp.sqrt(variance + SMALL)
  return jnp.where(n < 2, x, jnp.clip(normalized, -LIMIT, LIMIT))


def scale(
  statistics: dict[str, dict[str, jax.Array]], rewards: jax.Array, most: float
) -> jax.Array:
  """r / max(deviation of G, largest |G| / most), of rewards of any shape.

  Without statistics of returns they are returned as they are.
  """
  if RETURNS not in statistics:
    return rewards
  of_returns = statistics[RETURNS]
  deviation = jnp.sqrt(of_returns['variance'][0] + SMALL)
  return rewards / jnp.maximum(deviation, of_returns['largest'][0] / most)
