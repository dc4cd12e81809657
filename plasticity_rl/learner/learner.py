"""The updates of a step, at any replay ratio, with interventions after them."""

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
  """An intervention inside the compiled training loop, after updates.

  Attributes:
    label: label of the intervention, and the key of its state in
      `TrainState.interventions`.
    every_updates: period in updates.
    intervention: the intervention. It changes only networks and keeps their
      structure.
  """

  label: str
  every_updates: int
  intervention: Intervention


Hooks = tuple[Hook, ...]


class UpdateSchedule(NamedTuple):
  """The schedule of updates: `updates` updates every `period` rows.

  A row is one step of all parallel environments.
  """

  updates: int
  period: int

  def due(self, row: jax.Array) -> jax.Array:
    """Whether updates follow row `row`, a scalar bool."""
    return (row + 1) % self.period == 0


def update_schedule(
  updates_per_step: float, steps_per_row: int
) -> UpdateSchedule:
  """Converts a replay ratio to an `UpdateSchedule`.

  Args:
    updates_per_step: the replay ratio. Multiplied by `steps_per_row`, it must
      be a whole number or the inverse of one.
    steps_per_row: agent decisions in a row, one for each parallel environment.

  Raises:
    UserError: the replay ratio is not positive, or no schedule has it.
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
  """Makes `num_updates` updates, each on a new batch; hooks run after each.

  Args:
    key: consumed.
    agent: the agent that is trained.
    nets: the networks.
    intervention_states: states of interventions by label, with those of hooks.
    sample: `(key, i) -> batch` for update i of these updates, and, if the
      agent's penalties look at a second batch, for i + `num_updates`.
    updates: number of earlier updates.
    num_updates: number of updates to make, a static integer.
    hooks: interventions after each update, in this order.
    event_key: key of the randomness of hooks; the label and the number of the
      update are folded in.
    shard: this device's part of each batch. `sample` returns this part. Hooks
      get the whole batch, so they do the same on all devices.

  Returns:
    The networks, the intervention states, and the metrics of the updates,
    averaged over the updates.

  Raises:
    UserError: a hook changes the structure of a network.
  """

  def update_once(carry, inputs):
    nets, intervention_states = carry
    key, i = inputs
    sample_key, update_key = jax.random.split(key)
    reference = None
    if agent.spec.has_reference:
      sample_key, reference_key = jax.random.split(sample_key)
      reference = sample(reference_key, i + num_updates)
    batch = sample(sample_key, i)
    if shard.axis is not None:
      update_key = shard.keys(update_key, batch.r_t.shape[0])
    nets, metrics = agent.update(
      update_key, nets, batch, updates + i, shard, reference
    )
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
    (nets, intervention_states), metrics = update_once(
      (nets, intervention_states), (key, 0)
    )
    return nets, intervention_states, metrics
  (nets, intervention_states), metrics = jax.lax.scan(
    update_once,
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
  """Runs a hook if it is due.

  Args:
    hook: the hook.
    event_key: key of its randomness; its label and `updates` are folded in.
    nets: the networks.
    intervention_states: states of interventions by label.
    batch: the batch of the last update, or this device's part of it.
    updates: number of updates made, the last one included.
    shard: this device's part of the batch.

  Returns:
    The networks and the intervention states.

  Raises:
    UserError: the hook changes the structure of a network.
  """

  def apply():
    key = jax.random.fold_in(
      jax.random.fold_in(event_key, name_tag(hook.label)), updates
    )
    # A hook reads only networks. Replay and environments are left out, so the
    # branch below does not copy them.
    state = TrainState(nets, (), (), (), (), {})
    state, intervention_state = hook.intervention.apply(
      key, state, intervention_states[hook.label], shard.gather(batch)
    )
    return state.nets, {**intervention_states, hook.label: intervention_state}

  if structure(jax.eval_shape(apply)) != structure((nets, intervention_states)):
    raise UserError(
      f'the intervention {hook.label!r} changes the structure of the '
      'network, so that it cannot happen every_updates: allocate '
      'network.slots, or take at_steps, every_steps or when'
    )
  if hook.every_updates == 1:
    return apply()
  return jax.lax.cond(
    updates % hook.every_updates == 0,
    apply,
    lambda: (nets, intervention_states),
  )
