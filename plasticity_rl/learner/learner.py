"""Updates per step: any replay ratio, above or below one."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from plasticity_rl import errors
from plasticity_rl.agents.base import Agent
from plasticity_rl.agents.base import Nets
from plasticity_rl.types import Key
from plasticity_rl.types import Transition

Sample = Callable[[Key], Transition]


class Schedule(NamedTuple):
  """When updates happen: `updates` of them every `period` rows of the loop."""

  updates: int
  period: int

  def due(self, row: jax.Array) -> jax.Array:
    """Whether updates follow row `row` of the loop, a scalar bool."""
    return (row + 1) % self.period == 0


def schedule(updates_per_step: float, steps_per_row: int) -> Schedule:
  """Turns a replay ratio into whole numbers.

  Args:
    updates_per_step: the ratio; times `steps_per_row`, it must be a whole
      number or one over a whole number.
    steps_per_row: decisions in a row of the loop (parallel environments).
  """
  ratio = updates_per_step * steps_per_row
  if not 1e-9 < ratio < 1e9:  # NaN is refused as well.
    raise errors.UserError(
        f'replay.updates_per_step must be positive: {updates_per_step}'
    )
  result = (
      Schedule(round(ratio), 1) if ratio >= 1 else Schedule(1, round(1 / ratio))
  )
  if abs(result.updates / result.period - ratio) > 1e-6 * ratio:
    raise errors.UserError(
        'replay.updates_per_step times environment.num_envs must be a whole '
        f'number or one over a whole number: {ratio:g}'
    )
  return result


def learn(
    key: Key,
    agent: Agent,
    nets: Nets,
    sample: Sample,
    updates: jax.Array,
    num_updates: int,
) -> tuple[Nets, dict[str, jax.Array]]:
  """`num_updates` updates, each on a batch of its own.

  Args:
    key: consumed.
    agent: whose update.
    nets: the networks.
    sample: `(key) -> batch`.
    updates: how many were made before.
    num_updates: static.

  Returns:
    The networks, and the metrics of the updates, averaged.
  """

  def one(nets, inputs):
    key, updates = inputs
    sample_key, update_key = jax.random.split(key)
    return agent.update(update_key, nets, sample(sample_key), updates)

  if num_updates == 1:
    return one(nets, (key, updates))
  nets, metrics = jax.lax.scan(
      one, nets,
      (jax.random.split(key, num_updates), updates + jnp.arange(num_updates)),
  )
  return nets, jax.tree.map(lambda m: m.mean(0), metrics)
