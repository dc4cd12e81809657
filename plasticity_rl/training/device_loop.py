"""The training loop on the device, as pure functions."""

import jax
import jax.numpy as jnp

from plasticity_rl.agents.base import Agent
from plasticity_rl.interventions import acting
from plasticity_rl.learner import learner
from plasticity_rl.shard import UNSHARDED
from plasticity_rl.shard import Shard
from plasticity_rl.training.data_source import DataSource
from plasticity_rl.types import TrainState


def row(
  state: TrainState,
  agent: Agent,
  source: DataSource,
  schedule: learner.UpdateSchedule,
  hooks: learner.Hooks = (),
  shard: Shard = UNSHARDED,
) -> tuple[TrainState, dict[str, jax.Array]]:
  """One row: every environment steps once, then updates if they are due.

  Returns:
    The new state, and metrics `[S]`. The metric `updated`, `[]`, is the same
    for all seeds.
  """
  counters = state.counters
  collected = source.advance(counters)
  due = source.ready(collected) & schedule.due(
    counters.step // source.steps_per_row
  )

  def one_seed(nets, replay, env, keys, intervention_states):
    key = jax.random.fold_in(keys.run, counters.step)
    collect_key, learn_key = jax.random.split(key)
    env, replay, metrics = source.collect(
      collect_key,
      acting.acting(nets, intervention_states, counters.step),
      env,
      replay,
      counters,
    )

    def update():
      return learner.learn(
        learn_key,
        agent,
        nets,
        intervention_states,
        lambda k, _: source.sample(k, env, replay, collected),
        counters.updates,
        schedule.updates,
        hooks,
        keys.event,
        shard,
      )

    def skip():
      losses = jax.eval_shape(update)[2]
      return (
        nets,
        intervention_states,
        jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), losses),
      )

    # `due` is the same for all seeds, so under vmap this is still a branch.
    nets, intervention_states, losses = jax.lax.cond(due, update, skip)
    return nets, replay, env, intervention_states, {**metrics, **losses}

  nets, replay, env, intervention_states, metrics = jax.vmap(one_seed)(
    state.nets, state.replay, state.env, state.keys, state.interventions
  )
  counters = collected._replace(
    updates=counters.updates + due * schedule.updates
  )
  state = state._replace(
    nets=nets,
    replay=replay,
    env=env,
    counters=counters,
    interventions=intervention_states,
  )
  return state, {**metrics, 'updated': due}


def prime(
  state: TrainState,
  num_updates: int,
  agent: Agent,
  source: DataSource,
  hooks: learner.Hooks = (),
  shard: Shard = UNSHARDED,
) -> TrainState:
  """Makes updates on the data in the replay, without collecting new data."""
  counters = state.counters

  def one_seed(nets, replay, env, keys, intervention_states):
    # No step has this number, so these keys are new.
    root = jax.random.fold_in(keys.run, 2**31 - 1)
    nets, intervention_states, _ = learner.learn(
      jax.random.fold_in(root, counters.updates),
      agent,
      nets,
      intervention_states,
      lambda k, _: source.sample(k, env, replay, counters),
      counters.updates,
      num_updates,
      hooks,
      keys.event,
      shard,
    )
    return nets, intervention_states

  nets, intervention_states = jax.vmap(one_seed)(
    state.nets, state.replay, state.env, state.keys, state.interventions
  )
  counters = counters._replace(updates=counters.updates + num_updates)
  return state._replace(
    nets=nets, counters=counters, interventions=intervention_states
  )


def segment(
  state: TrainState,
  num_rows: int,
  agent: Agent,
  source: DataSource,
  schedule: learner.UpdateSchedule,
  hooks: learner.Hooks = (),
  shard: Shard = UNSHARDED,
) -> tuple[TrainState, dict[str, jax.Array]]:
  """Runs `num_rows` rows in one compiled program.

  Returns:
    The new state, and metrics `[S]`: the means of the metrics of updates (NaN
    without updates); 'train/return', the mean return of episodes that ended
    (NaN without any); 'train/episodes', their number; 'bad_step', the first
    step whose loss was not finite, or -1; and 'updates', the number of updates
    so far.
  """
  begin = state.counters.step
  state, stacked = jax.lax.scan(
    lambda s, _: row(s, agent, source, schedule, hooks, shard),
    state,
    None,
    length=num_rows,
  )
  updated = stacked.pop('updated')[:, None]
  metrics = {}
  if 'episodes' in stacked:
    episodes = stacked.pop('episodes').sum(0)
    metrics['train/return'] = stacked.pop('return_sum').sum(0) / episodes
    metrics['train/episodes'] = episodes
  bad = updated & ~jnp.isfinite(stacked['loss'])
  steps = begin + source.steps_per_row * (1 + jnp.arange(num_rows))
  bad_step = jnp.where(bad.any(0), steps[bad.argmax(0)], -1)
  for name, values in stacked.items():
    total = jnp.where(updated, values, 0).sum(0)
    metrics[f'train/{name}'] = total / updated.sum(0)
  updates = jnp.full_like(bad_step, state.counters.updates)
  return state, {**metrics, 'bad_step': bad_step, 'updates': updates}
