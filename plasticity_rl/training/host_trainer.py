"""Training with environments on the host.

A row is one step of every environment, followed by the updates that are due, in
one compiled call. Between segments, the state holds all data, as on the device;
see `host_data_source`.
"""

import functools
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from plasticity_rl import settings as settings_lib
from plasticity_rl.agents.base import Agent
from plasticity_rl.distributed import parallel
from plasticity_rl.environments import episode_cut
from plasticity_rl.environments.host import HostEnvironments
from plasticity_rl.learner import learner
from plasticity_rl.training import host_env_state
from plasticity_rl.training import initial_state
from plasticity_rl.training import trainer as trainer_lib
from plasticity_rl.training.host_counters import HostCounters
from plasticity_rl.training.host_data_source import HostDataSource
from plasticity_rl.training.host_data_source import HostReplays
from plasticity_rl.training.host_evaluation import HostEvaluation
from plasticity_rl.training.host_programs import HostPrograms
from plasticity_rl.training.host_segment import HostSegment
from plasticity_rl.types import TrainState
from plasticity_rl.types import Transition

# Updates in one compiled call of priming.
_PRIMING_CALL = 50
_NO_STEP = 2**31 - 1


class HostTrainer(trainer_lib.Trainer):
  """Trains with environments and replays on the host, networks on devices."""

  def __init__(
    self,
    settings: settings_lib.Settings,
    agent: Agent,
    data: HostDataSource,
    programs: HostPrograms,
    environments: Callable[..., HostEnvironments],
    layout: parallel.Layout,
    schedule: learner.UpdateSchedule,
    later_schedule: learner.UpdateSchedule | None,
  ):
    """Compiles nothing yet.

    Args:
      settings: settings of the run.
      agent: the agent to train.
      data: environments and replays of training.
      programs: the compiled functions of acting and learning.
      environments: `(num_envs, evaluation=True) -> environments`, called at the
        first evaluation.
      layout: the layout of seeds and batches over devices.
      schedule: the schedule of updates.
      later_schedule: the schedule of updates after the replay ratio changes, or
        None.
    """
    self._settings, self._agent = settings, agent
    self._data, self._programs, self._layout = data, programs, layout
    self._evaluation = HostEvaluation(settings, environments, data, programs)
    seeds = np.arange(
      settings.seed, settings.seed + settings.num_seeds, dtype=np.int32
    )
    self._init = functools.partial(
      initial_state.init, seeds, self._agent, lambda key: ((), ())
    )
    self.steps_per_row = data.num_envs
    self.frames_per_step = data.environments.frames_per_step
    self.return_range = episode_cut.return_range(
      data.environments.return_range,
      data.environments.range_frames,
      settings.evaluation.max_steps * self.frames_per_step,
    )
    self.host_axes = trainer_lib.REPLICATED_AXES._replace(env=1)
    self.batch = _of_one_seed(
      jax.eval_shape(
        self._programs.stacked, data.batch_shapes(settings.replay.batch_size)
      )
    )
    # Copies made by `replace` share this cache, unlike a cached property.
    self._update_metrics = functools.cache(self._trace_update_metrics)
    self.segment = functools.partial(self._segment, schedule)
    self.segment_later = None
    if later_schedule:
      self.segment_later = functools.partial(self._segment, later_schedule)

  # --- The state ---

  def init(self) -> TrainState:
    """See `Trainer`. Networks and keys are those of training on the device."""
    state = self._placed(jax.jit(self._init)())
    return state._replace(
      replay=self._data.empty_replays(),
      env=self._data.begin(np.asarray(state.keys.run)),
    )

  def shapes(self) -> TrainState:
    """See `Trainer`. The replay has no arrays."""
    state = jax.eval_shape(self._init)
    env = self._data.begin(np.zeros(state.keys.run.shape, np.uint32))
    self._data.invalidate()
    return state._replace(
      env=self._data.global_shapes(
        jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), env)
      )
    )

  def shapes_as_saved(
    self, shapes: TrainState, leaves: Mapping[str, Any]
  ) -> TrainState:
    """See `Trainer`. States of users' environments may have any size."""
    return host_env_state.shapes_as_saved(shapes, leaves)

  def snapshots(self, state: TrainState) -> dict[str, trainer_lib.Snapshot]:
    """See `Trainer`: copies of the replays."""
    return self._data.snapshots(state.replay)

  def to_checkpoint(self, state: TrainState) -> TrainState:
    """See `Trainer`. The state has this form already."""
    return state

  def load(self, state: Any, folder: pathlib.Path) -> TrainState:
    """See `Trainer`.

    If hosts share batches, each has the replay of its own environments. On
    another number of hosts, these replays do not fit, and the replay starts
    empty.
    """
    on_device = self._placed(jax.tree.map(jnp.asarray, state._replace(env=())))
    replays = self._data.load(folder)
    if replays is None:  # Updates wait until the replay is filled again.
      replays, counters = self._data.empty_replays(), on_device.counters
      on_device = on_device._replace(
        counters=counters._replace(cleared=jnp.copy(counters.stored))
      )
    return on_device._replace(
      env=self._data.local_environments(state.env), replay=replays
    )

  def _placed(self, state):
    """Places a state, but not its counters, which `HostCounters` reads."""
    placed = self._layout.place_state(state, trainer_lib.AXES)
    return placed._replace(counters=state.counters)

  def replicate(self, state: TrainState, count: int) -> TrainState:
    """See `Trainer`."""
    (replay,) = state.replay.by_seed
    env = jax.tree.map(lambda x: np.repeat(x, count, axis=0), state.env)
    replays = HostReplays([replay.copy() for _ in range(count)])
    return state._replace(env=env, replay=replays)

  # --- Updates ---

  def _segment(self, schedule, state):
    """As `device_loop.segment`, but it changes the replays in place."""
    return HostSegment(
      self._settings,
      self._layout,
      self._programs,
      self._data,
      schedule,
      state,
      self._zero_sums(),
    ).run()

  def prime(self, state: TrainState) -> TrainState:
    """As `device_loop.prime`."""
    counters, keys = HostCounters(state), np.asarray(state.keys.run)
    nets, intervention_states = state.nets, state.interventions
    # No step has this number, so keys folded by update are new.
    roots = jax.vmap(jax.random.fold_in, (0, None))(state.keys.run, _NO_STEP)
    left = min(
      self._settings.replay.priming_updates, settings_lib.PRIMING_CHUNK
    )
    while left:
      count = min(left, _PRIMING_CALL)
      batches = self._data.sample(
        state.replay,
        state.env,
        keys,
        'prime',
        counters.updates,
        num_batches=count * self._programs.batches_per_update,
      )
      nets, intervention_states, _ = self._programs.learn(
        count,
        nets,
        intervention_states,
        self._zero_sums(),
        state.keys._replace(run=roots),
        (counters.updates, counters.updates),
        batches,
      )
      counters.updates += count
      left -= count
    nets, intervention_states = self._layout.to_first_device(
      (nets, intervention_states)
    )
    return counters.put(
      state._replace(nets=nets, interventions=intervention_states)
    )

  # --- Metrics and batches ---

  def evaluate(self, keys: jax.Array, state: TrainState) -> trainer_lib.Metrics:
    """See `Trainer`. Episodes have the same random seeds each time."""
    return self._evaluation.play(keys, state)

  def sample(self, keys: jax.Array, state: TrainState) -> Transition:
    """See `Trainer`."""
    size = self._settings.diagnostics.probe_size
    drawn = self._layout.gathered(
      self._data.sample(
        state.replay,
        state.env,
        np.asarray(keys),
        'probe',
        0,
        -(-size // self._layout.sharers),
      )
    )
    return self._programs.stacked(jax.tree.map(lambda x: x[:, :size], drawn))

  def metrics(self) -> set[str]:
    """See `Trainer`."""
    return {
      'train/return',
      'train/episodes',
      'bad_step',
      'updates',
      'eval/return',
      'eval/steps',
      *(f'train/{name}' for name in self._update_metrics()),
    }

  def _trace_update_metrics(self):
    """Names of the metrics of an update."""
    key = jax.ShapeDtypeStruct((2,), 'uint32')
    nets = _of_one_seed(jax.eval_shape(self._init).nets)
    return tuple(
      jax.eval_shape(
        lambda *args: self._agent.update(*args, 0)[1], key, nets, self.batch
      )
    )

  def _zero_sums(self):
    """Zeros, to which the metrics of updates are added."""
    count = self._data.num_seeds
    return {
      **{name: np.zeros(count, np.float32) for name in self._update_metrics()},
      'bad_step': np.full(count, -1, np.int32),
    }


def _of_one_seed(shapes: Any) -> Any:
  """Removes the leading axis of seeds."""
  return jax.tree.map(
    lambda x: jax.ShapeDtypeStruct(x.shape[1:], x.dtype), shapes
  )
