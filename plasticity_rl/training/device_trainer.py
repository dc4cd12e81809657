"""Training on device: compiled segments over a batch of seeds."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from plasticity_rl import settings as settings_lib
from plasticity_rl.agents.base import Agent
from plasticity_rl.distributed import parallel
from plasticity_rl.interventions import acting
from plasticity_rl.learner import learner
from plasticity_rl.replay import memory
from plasticity_rl.shard import UNSHARDED
from plasticity_rl.shard import Shard
from plasticity_rl.training import trainer as trainer_lib
from plasticity_rl.training.rollout import DataSource
from plasticity_rl.training.sharded_data import ShardedData
from plasticity_rl.types import Counters
from plasticity_rl.types import Key
from plasticity_rl.types import Keys
from plasticity_rl.types import TrainState

Hooks = tuple[learner.Hook, ...]

AXES = trainer_lib.AXES


def init_seed(
  key: Key,
  agent: Agent,
  init_data: Callable[[Key], tuple[Any, Any]],
  hooks: Hooks = (),
) -> TrainState:
  """The state of one seed before the first step. The key is consumed.

  `init_data` is `(key) -> (env, replay)`.
  """
  nets_key, stream_key, run_key, event_key = jax.random.split(key, 4)
  env, replay = init_data(stream_key)
  # Distinct buffers, since the state is donated.
  zeros = Counters(*(jnp.array(0, jnp.int32) for _ in Counters._fields))
  return attach(
    TrainState(
      nets=agent.init(nets_key),
      replay=replay,
      env=env,
      keys=Keys(run_key, event_key),
      counters=zeros,
      interventions={},
    ),
    hooks,
  )


def attach(state: TrainState, hooks: Hooks) -> TrainState:
  """Gives hooks that have none yet their own state, for one seed."""
  new = {
    # Copies: what is taken from the networks must not share their buffers.
    hook.label: jax.tree.map(jnp.copy, hook.intervention.init(state))
    for hook in hooks
    if hook.label not in state.interventions
  }
  return state._replace(interventions={**state.interventions, **new})


def init(
  seeds: jax.Array,
  agent: Agent,
  init_data: Callable[[Key], tuple[Any, Any]],
  hooks: Hooks = (),
) -> TrainState:
  """The state of all seeds, int32 `[S]`."""
  return jax.vmap(
    lambda seed: init_seed(jax.random.PRNGKey(seed), agent, init_data, hooks),
    out_axes=AXES,
  )(seeds)


def row(
  state: TrainState,
  agent: Agent,
  stream: DataSource,
  schedule: learner.UpdateSchedule,
  hooks: Hooks = (),
  shard: Shard = UNSHARDED,
) -> tuple[TrainState, dict[str, jax.Array]]:
  """One row: every environment steps once, then updates if they are due.

  Returns:
    The new state, and metrics by seed `[S]` (`updated` is shared, `[]`).
  """
  counters = state.counters
  collected = stream.advance(counters)
  due = stream.ready(collected) & schedule.due(
    counters.step // stream.steps_per_row
  )

  def one_seed(nets, replay, env, keys, own):
    key = jax.random.fold_in(keys.run, counters.step)
    collect_key, learn_key = jax.random.split(key)
    env, replay, metrics = stream.collect(
      collect_key,
      acting.acting(nets, own, counters.step),
      env,
      replay,
      counters,
    )

    def update():
      return learner.learn(
        learn_key,
        agent,
        nets,
        own,
        lambda k, _: stream.sample(k, env, replay, collected),
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
        own,
        jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), losses),
      )

    # `due` is the same for all seeds, so that this stays a branch under vmap.
    nets, own, losses = jax.lax.cond(due, update, skip)
    return nets, replay, env, own, {**metrics, **losses}

  nets, replay, env, own, metrics = jax.vmap(one_seed)(
    state.nets, state.replay, state.env, state.keys, state.interventions
  )
  counters = collected._replace(
    updates=counters.updates + due * schedule.updates
  )
  state = state._replace(
    nets=nets, replay=replay, env=env, counters=counters, interventions=own
  )
  return state, {**metrics, 'updated': due}


def prime(
  state: TrainState,
  num_updates: int,
  agent: Agent,
  stream: DataSource,
  hooks: Hooks = (),
  shard: Shard = UNSHARDED,
) -> TrainState:
  """Updates on what the replay holds; nothing is collected."""
  counters = state.counters

  def one_seed(nets, replay, env, keys, own):
    # No step has this number, so that no key is used twice.
    root = jax.random.fold_in(keys.run, 2**31 - 1)
    nets, own, _ = learner.learn(
      jax.random.fold_in(root, counters.updates),
      agent,
      nets,
      own,
      lambda k, _: stream.sample(k, env, replay, counters),
      counters.updates,
      num_updates,
      hooks,
      keys.event,
      shard,
    )
    return nets, own

  nets, own = jax.vmap(one_seed)(
    state.nets, state.replay, state.env, state.keys, state.interventions
  )
  counters = counters._replace(updates=counters.updates + num_updates)
  return state._replace(nets=nets, counters=counters, interventions=own)


def segment(
  state: TrainState,
  num_rows: int,
  agent: Agent,
  stream: DataSource,
  schedule: learner.UpdateSchedule,
  hooks: Hooks = (),
  shard: Shard = UNSHARDED,
) -> tuple[TrainState, dict[str, jax.Array]]:
  """`num_rows` rows in one program.

  Returns:
    The new state, and metrics `[S]`: means of what updates report over the
    updates (NaN without any), the mean return of the episodes that ended (NaN
    without any), their number; `bad_step`, the first step whose loss was not
    finite, or -1; and `updates`, those made so far.
  """
  begin = state.counters.step
  state, stacked = jax.lax.scan(
    lambda s, _: row(s, agent, stream, schedule, hooks, shard),
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
  steps = begin + stream.steps_per_row * (1 + jnp.arange(num_rows))
  bad_step = jnp.where(bad.any(0), steps[bad.argmax(0)], -1)
  for name, values in stacked.items():
    total = jnp.where(updated, values, 0).sum(0)
    metrics[f'train/{name}'] = total / updated.sum(0)
  updates = jnp.full_like(bad_step, state.counters.updates)
  return state, {**metrics, 'bad_step': bad_step, 'updates': updates}


class Learners(NamedTuple):
  """An agent and its stream, by what of a batch a program sees.

  Attributes:
    whole: for what happens on one device.
    shared: for training; the same where there is one device.
    layout: how it is spread.
  """

  whole: tuple[Agent, DataSource]
  shared: tuple[Agent, DataSource]
  layout: parallel.Layout = parallel.ONE


def _check_memory(settings, stream, layout):
  """Refuses replays that are larger than the memory of a device."""
  if not stream.transition_bytes:
    return
  devices = len(layout.local)
  copies = settings.num_seeds  # Of the replay of a seed, on each device.
  if layout.mode == 'seeds':
    copies /= devices
  if stream.is_shared_out:
    copies /= layout.shard.count
  device = layout.local[0]
  if device.platform == 'cpu':
    # One memory for all, and for the copy that a checkpoint is written from.
    copies *= 2 * (devices if layout.mode != 'none' else 1)
    available = memory.of_host()
  else:
    limit = (device.memory_stats() or {}).get('bytes_limit')
    if not limit:  # Not every device tells.
      return
    available = memory.of_device(limit)
  memory.check(
    settings.replay.capacity,
    int(available / copies),
    transition=stream.transition_bytes,
    multiple=settings.environment.num_envs,
  )


def make(
  settings: settings_lib.Settings,
  learners: Learners,
  schedule: learner.UpdateSchedule,
  later: learner.UpdateSchedule | None,
  hooks: Hooks,
) -> trainer_lib.Trainer:
  """The loop of these settings, compiled.

  Args:
    settings: of the run.
    learners: what learns, and where its data come from.
    schedule: when updates happen.
    later: when they happen from when the replay ratio is raised, or None.
    hooks: interventions inside the loop.
  """
  (agent, stream), (_, shared_stream), layout = learners
  _check_memory(settings, shared_stream, layout)
  rows = settings.segment_steps // stream.steps_per_row
  seeds = settings.seed + jnp.arange(settings.num_seeds, dtype=jnp.int32)
  probe_size = settings.diagnostics.probe_size
  shares = ShardedData(layout, shared_stream.is_shared_out)

  def start(seeds):
    return init(seeds, agent, stream.init)

  def segment_at(schedule):
    return shares.training(
      lambda state: segment(
        state, rows, *learners.shared, schedule, hooks, layout.shard
      ),
      metrics=True,
    )

  def prime_chunk(state):
    updates = min(settings.replay.priming_updates, settings_lib.PRIMING_CHUNK)
    return prime(state, updates, *learners.shared, hooks, layout.shard)

  def evaluate(keys, nets, env):
    return jax.vmap(stream.evaluate)(keys, nets, env)

  def sample_of(stream, keys, env, replay, counters, size):
    return jax.vmap(
      lambda key, env, replay: stream.sample(key, env, replay, counters, size)
    )(keys, env, replay)

  start_all = layout.jit(start, seeds=parallel.Axes((0,), AXES))
  evaluate_all = layout.jit(evaluate, seeds=parallel.Axes((0, 0, 0), 0))
  sample_all = layout.jit(
    lambda *args: sample_of(stream, *args, probe_size),
    seeds=parallel.Axes((0, 0, 0, None), 0),
  )

  def sample_parts(*args):
    each = -(-probe_size // layout.shard.count)
    parts = sample_of(shared_stream, *args, each)
    whole = jax.vmap(layout.shard.gather)(parts)
    return jax.tree.map(lambda x: x[:, :probe_size], whole)

  if shares.are_apart:
    sample_all = layout.jit(
      sample_parts, data=parallel.Axes((None, 0, 0, None), None)
    )

  def sample(keys, state):
    env, replay = state.env, state.replay
    if not shares.are_apart:
      env, replay = layout.to_first_device((env, replay))
    return layout.to_first_device(sample_all(keys, env, replay, state.counters))

  def shapes():
    return jax.eval_shape(start, seeds)

  def keys():
    return jax.ShapeDtypeStruct((settings.num_seeds, 2), 'uint32')

  def batch():
    many = jax.eval_shape(
      lambda keys, s: sample_of(
        stream, keys, s.env, s.replay, s.counters, None
      ),
      keys(),
      shapes(),
    )
    return jax.tree.map(
      lambda x: jax.ShapeDtypeStruct(x.shape[1:], x.dtype), many
    )

  def metrics():
    state = jax.eval_shape(lambda: init(seeds, agent, stream.init, hooks))
    _, trained = jax.eval_shape(
      lambda state: segment(state, rows, agent, stream, schedule, hooks),
      state,
    )
    return {*trained, *jax.eval_shape(evaluate, keys(), state.nets, state.env)}

  train = segment_at(schedule)
  train_later = segment_at(later) if later else None

  def replicate(state, count):
    state = shares.together(state)
    env, replay = jax.tree.map(
      lambda x: jnp.repeat(x, count, axis=0), (state.env, state.replay)
    )
    return shares.apart(state._replace(env=env, replay=replay))

  return trainer_lib.Trainer(
    steps_per_row=stream.steps_per_row,
    frames_per_step=1,
    return_range=stream.return_range,
    batch=batch(),
    metrics=metrics,
    init=lambda: shares.apart(start_all(seeds)),
    shapes=shapes,
    segment=train,
    segment_later=train_later,
    prime=shares.training(prime_chunk),
    evaluate=lambda keys, state: evaluate_all(
      keys, state.nets, shares.first(state.env)
    ),
    sample=sample,
    snapshots=lambda state: {},
    portable=shares.together,
    load=lambda state, folder: shares.apart(
      layout.place_state(jax.tree.map(jnp.asarray, state), AXES)
    ),
    replicate=replicate,
    host_axes=shares.axes,
  )
