"""Training with environments on the device."""

import pathlib
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from plasticity_rl import settings as settings_lib
from plasticity_rl.agents.base import Agent
from plasticity_rl.distributed import parallel
from plasticity_rl.learner import learner
from plasticity_rl.replay import earlier_layout
from plasticity_rl.replay import memory
from plasticity_rl.replay.device_ring import Row
from plasticity_rl.training import device_loop
from plasticity_rl.training import initial_state
from plasticity_rl.training import seeds as seeds_lib
from plasticity_rl.training import trainer as trainer_lib
from plasticity_rl.training.data_source import DataSource
from plasticity_rl.training.sharded_data import ShardedData
from plasticity_rl.training.trainer import AXES
from plasticity_rl.types import Key
from plasticity_rl.types import TrainState
from plasticity_rl.types import Transition


class DeviceTrainer(trainer_lib.Trainer):
  """Trains with environments and replays on the device.

  A segment is one compiled program.
  """

  def __init__(
    self,
    settings: settings_lib.Settings,
    agent: Agent,
    source: DataSource,
    layout: parallel.Layout,
    schedule: learner.UpdateSchedule,
    later_schedule: learner.UpdateSchedule | None,
    hooks: learner.Hooks,
  ):
    """Prepares the functions; each is compiled on its first call.

    Args:
      settings: settings of the run.
      agent: the agent to train.
      source: the source of its data.
      layout: the layout of seeds and batches over devices.
      schedule: the schedule of updates.
      later_schedule: the schedule of updates after the replay ratio changes, or
        None.
      hooks: interventions inside the loop.

    Raises:
      UserError: the replays do not fit into the memory of a device.
    """
    sharded = source.on(layout.shard)
    _check_memory(settings, sharded, layout)
    self._agent, self._source, self._layout = agent, source, layout
    self._num_rows = settings.segment_steps // source.steps_per_row
    self._seeds = settings.seed + jnp.arange(
      settings.num_seeds, dtype=jnp.int32
    )
    self._schedule, self._hooks = schedule, hooks
    nets = jax.eval_shape(agent.init, jax.random.PRNGKey(0))
    self._in_turn = settings.num_seeds > 1 and seeds_lib.are_better_in_turn(
      [net.params for net in nets.values()]
    )
    self._sharded_data = ShardedData(layout, sharded.is_sharded)
    self.steps_per_row = source.steps_per_row
    self.frames_per_step = source.frames_per_step
    self.return_range = source.return_range
    self.host_axes = self._sharded_data.host_axes
    self.batch = self._batch_shapes()

    def compiled(step):
      return self._sharded_data.jit(
        seeds_lib.in_turn(step) if self._in_turn else step
      )

    def segment_at(schedule):
      return compiled(
        lambda state: device_loop.segment(
          state,
          self._num_rows,
          agent,
          sharded,
          schedule,
          hooks,
          layout.shard,
        )
      )

    def prime_chunk(state):
      updates = min(settings.replay.priming_updates, settings_lib.PRIMING_CHUNK)
      return device_loop.prime(
        state, updates, agent, sharded, hooks, layout.shard
      ), {}

    prime = compiled(prime_chunk)
    self.segment = segment_at(schedule)
    self.segment_later = segment_at(later_schedule) if later_schedule else None
    self.prime = lambda state: prime(state)[0]
    self._init_all = layout.jit(
      self._init_seeds, seeds=parallel.Axes((0,), AXES)
    )
    self._evaluate_all = layout.jit(
      self._evaluate_seeds, seeds=parallel.Axes((0, 0, 0), 0)
    )
    self._sample_all = self._compiled_sample(
      sharded, settings.diagnostics.probe_size
    )

  def _init_seeds(self, seeds):
    return initial_state.init(seeds, self._agent, self._source.init)

  def _evaluate_seeds(self, keys, nets, env):
    return jax.vmap(self._source.evaluate)(keys, nets, env)

  def _compiled_sample(self, sharded, size):
    """`(keys, env, replay, counters) -> batch`, for sharded data or not."""
    shard = self._layout.shard
    if not self._sharded_data.is_sharded:
      return self._layout.jit(
        lambda *args: _sample(self._source, *args, size),
        seeds=parallel.Axes((0, 0, 0, None), 0),
      )

    def sample_shards(*args):
      parts = _sample(sharded, *args, -(-size // shard.count))
      whole = jax.vmap(shard.gather)(parts)
      return jax.tree.map(lambda x: x[:, :size], whole)

    return self._layout.jit(
      sample_shards, data=parallel.Axes((None, 0, 0, None), None)
    )

  # --- The state ---

  def init(self) -> TrainState:
    """See `Trainer`."""
    return self._sharded_data.shard(self._init_all(self._seeds))

  def shapes(self) -> TrainState:
    """See `Trainer`."""
    return jax.eval_shape(self._init_seeds, self._seeds)

  def shapes_as_saved(
    self, shapes: TrainState, leaves: Mapping[str, Any]
  ) -> TrainState:
    """See `Trainer`. Earlier versions held observations twice."""
    ring = self._source.ring
    if ring is None or not earlier_layout.is_saved(leaves):
      return shapes
    return shapes._replace(replay=earlier_layout.shapes(ring, shapes.replay))

  def snapshots(self, state: TrainState) -> dict[str, trainer_lib.Snapshot]:
    """See `Trainer`. There are none: all data are arrays."""
    del state
    return {}

  def to_checkpoint(self, state: TrainState) -> TrainState:
    """See `Trainer`."""
    return self._sharded_data.unshard(state)

  def load(self, state: Any, folder: pathlib.Path) -> TrainState:
    """See `Trainer`."""
    del folder
    ring = self._source.ring
    if ring is not None and isinstance(state.replay, Row):
      state = state._replace(
        replay=earlier_layout.converted(
          ring, state.replay, state.counters.stored
        )
      )
    return self._sharded_data.shard(
      self._layout.place_state(jax.tree.map(jnp.asarray, state), AXES)
    )

  def replicate(self, state: TrainState, count: int) -> TrainState:
    """See `Trainer`."""
    state = self._sharded_data.unshard(state)
    env, replay = jax.tree.map(
      lambda x: jnp.repeat(x, count, axis=0), (state.env, state.replay)
    )
    return self._sharded_data.shard(state._replace(env=env, replay=replay))

  # --- Metrics and batches ---

  def metrics(self) -> set[str]:
    """See `Trainer`."""
    state = jax.eval_shape(
      lambda: initial_state.init(
        self._seeds, self._agent, self._source.init, self._hooks
      )
    )
    _, trained = jax.eval_shape(
      lambda state: device_loop.segment(
        state,
        self._num_rows,
        self._agent,
        self._source,
        self._schedule,
        self._hooks,
      ),
      state,
    )
    evaluated = jax.eval_shape(
      self._evaluate_seeds, self._key_shapes(), state.nets, state.env
    )
    return {*trained, *evaluated}

  def evaluate(self, keys: Key, state: TrainState) -> trainer_lib.Metrics:
    """See `Trainer`."""
    return self._evaluate_all(
      keys, state.nets, self._sharded_data.first_environments(state.env)
    )

  def sample(self, keys: Key, state: TrainState) -> Transition:
    """See `Trainer`."""
    env, replay = state.env, state.replay
    if not self._sharded_data.is_sharded:
      env, replay = self._layout.to_first_device((env, replay))
    return self._layout.to_first_device(
      self._sample_all(keys, env, replay, state.counters)
    )

  def _key_shapes(self):
    return jax.ShapeDtypeStruct((len(self._seeds), 2), 'uint32')

  def _batch_shapes(self):
    """Shapes of the batch of one update of one seed."""
    many = jax.eval_shape(
      lambda keys, s: _sample(
        self._source, keys, s.env, s.replay, s.counters, None
      ),
      self._key_shapes(),
      self.shapes(),
    )
    return jax.tree.map(
      lambda x: jax.ShapeDtypeStruct(x.shape[1:], x.dtype), many
    )


def _sample(source, keys, env, replay, counters, size):
  """Samples a batch for each seed, `[S, B, ...]`."""
  return jax.vmap(
    lambda key, env, replay: source.sample(key, env, replay, counters, size)
  )(keys, env, replay)


def _check_memory(settings, source, layout):
  """Raises a UserError if the replays do not fit into a device's memory."""
  if not source.transition_bytes:
    return
  devices = len(layout.local)
  copies = settings.num_seeds  # Number of replays on each device.
  if layout.mode == 'seeds':
    copies /= devices
  if source.is_sharded:
    copies /= layout.shard.count
  device = layout.local[0]
  if device.platform == 'cpu':
    # All devices share the memory, which also holds a checkpoint's copy.
    copies *= 2 * (devices if layout.mode != 'none' else 1)
    available = memory.of_host()
  else:
    limit = (device.memory_stats() or {}).get('bytes_limit')
    if not limit:  # Some devices do not report it.
      return
    available = memory.of_device(limit)
  memory.check(
    settings.replay.capacity,
    int(available / copies),
    transition=source.transition_bytes,
    multiple=settings.environment.num_envs,
  )
