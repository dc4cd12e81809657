"""Updates per step, at any replay ratio, and what happens between them."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from plasticity_rl.agents.base import Agent
from plasticity_rl.agents.base import Nets
from plasticity_rl.errors import UserError
from plasticity_rl.interventions.base import Intervention
from plasticity_rl.shard import UNSHARDED
from plasticity_rl.shard import Shard
from plasticity_rl.types import Key
from plasticity_rl.types import TrainState
from plasticity_rl.types import Transition
from plasticity_rl.types import name_tag
from plasticity_rl.types import structure

Sample = Callable[[Key, jax.Array], Transition]


class Hook(NamedTuple):
  """An intervention that happens inside the training loop, after updates.

  Attributes:
    label: of the intervention; its state is kept under it.
    every_updates: its period; it happens after updates that this divides.
    intervention: that touches networks only and keeps their structure.
  """

  label: str
  every_updates: int
  intervention: Intervention


Hooks = tuple[Hook, ...]


class UpdateSchedule(NamedTuple):
  """When updates happen: `updates` of them every `period` rows of the loop."""

  updates: int
  period: int

  def due(self, row: jax.Array) -> jax.Array:
    """Whether updates follow row `row` of the loop, a scalar bool."""
    return (row + 1) % self.period == 0


def update_schedule(
  updates_per_step: float, steps_per_row: int
) -> UpdateSchedule:
  """Turns a replay ratio into whole numbers.

  Args:
    updates_per_step: the ratio; times `steps_per_row`, it must be a whole
      number or one over a whole number.
    steps_per_row: decisions in a row of the loop (parallel environments).
  """
  ratio = updates_per_step * steps_per_row
  if not 1e-9 < ratio < 1e9:  # NaN is refused as well.
    raise UserError(
      f'replay.updates_per_step must be positive: {updates_per_step}'
    )
  result = (
    UpdateSchedule(round(ratio), 1)
    if ratio >= 1
    else UpdateSchedule(1, round(1 / ratio))
  )
  if abs(result.updates / result.period - ratio) > 1e-6 * ratio:
    raise UserError(
      'replay.updates_per_step times environment.num_envs must be a whole '
      f'number or one over a whole number: {ratio:g}'
    )
  return result


def learn(
  key: Key,
  agent: Agent,
  nets: Nets,
  intervention_states: dict[str, Any],
  sample: Sample,
  updates: jax.Array,
  num_updates: int,
  hooks: Hooks = (),
  event_key: Key | None = None,
  shard: Shard = UNSHARDED,
) -> tuple[Nets, dict[str, Any], dict[str, jax.Array]]:
  """`num_updates` updates, each on a new batch, hooks after each.

  Args:
    key: consumed.
    agent: whose update.
    nets: the networks.
    intervention_states: by label, those of hooks among them.
    sample: `(key, i) -> batch` of the i-th of these updates.
    updates: how many were made before.
    num_updates: static.
    hooks: interventions that happen in between, in this order.
    event_key: root of their randomness; an update's number is folded in.
    shard: the device's share of each batch, which is what `sample` returns.
      Hooks are given the whole batch, so that they do the same everywhere.

  Returns:
    The networks, the intervention states, and the metrics of the updates,
    averaged.
  """

  def one(carry, inputs):
    nets, intervention_states = carry
    key, i = inputs
    sample_key, update_key = jax.random.split(key)
    batch = sample(sample_key, i)
    if shard.axis is not None:
      update_key = shard.keys(update_key, batch.r_t.shape[0])
    nets, metrics = agent.update(update_key, nets, batch, updates + i, shard)
    for hook in hooks:
      nets, intervention_states = run_hook(
        hook,
        event_key,
        nets,
        intervention_states,
        batch,
        updates + i + 1,
        shard,
      )
    return (nets, intervention_states), shard.mean(metrics)

  if num_updates == 1:
    (nets, intervention_states), metrics = one(
      (nets, intervention_states), (key, 0)
    )
    return nets, intervention_states, metrics
  (nets, intervention_states), metrics = jax.lax.scan(
    one,
    (nets, intervention_states),
    (jax.random.split(key, num_updates), jnp.arange(num_updates)),
  )
  return nets, intervention_states, jax.tree.map(lambda m: m.mean(0), metrics)


def run_hook(
  hook: Hook,
  event_key: Key,
  nets: Nets,
  intervention_states: dict[str, Any],
  batch: Transition,
  updates: jax.Array,
  shard: Shard = UNSHARDED,
) -> tuple[Nets, dict[str, Any]]:
  """Networks and intervention states after a hook, if `updates` is its time."""

  def act():
    key = jax.random.fold_in(
      jax.random.fold_in(event_key, name_tag(hook.label)), updates
    )
    # It reads nothing but networks; replay and environments stay where they
    # are rather than being carried through a branch.
    state = TrainState(nets, (), (), (), (), {})
    state, intervention_state = hook.intervention.apply(
      key, state, intervention_states[hook.label], shard.gather(batch)
    )
    return state.nets, {**intervention_states, hook.label: intervention_state}

  if structure(jax.eval_shape(act)) != structure((nets, intervention_states)):
    raise UserError(
      f'the intervention {hook.label!r} changes the structure of the '
      'network, so that it cannot happen every_updates: allocate '
      'network.slots, or take at_steps, every_steps or when'
    )
  if hook.every_updates == 1:
    return act()
  return jax.lax.cond(
    updates % hook.every_updates == 0, act, lambda: (nets, intervention_states)
  )
