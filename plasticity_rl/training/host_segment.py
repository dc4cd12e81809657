"""One segment with environments on the host: rows and updates."""

import numpy as np

from plasticity_rl import settings as settings_lib
from plasticity_rl.distributed import hosts
from plasticity_rl.distributed import parallel
from plasticity_rl.learner import learner
from plasticity_rl.replay.device_ring import Row
from plasticity_rl.training import running_statistics
from plasticity_rl.training.host_counters import HostCounters
from plasticity_rl.training.host_data_source import HostDataSource
from plasticity_rl.training.host_data_source import flat
from plasticity_rl.training.host_programs import HostPrograms
from plasticity_rl.training.trainer import Metrics
from plasticity_rl.types import TrainState


class HostSegment:
  """A running segment. It changes the replays of the state in place."""

  def __init__(
    self,
    settings: settings_lib.Settings,
    layout: parallel.Layout,
    programs: HostPrograms,
    data: HostDataSource,
    schedule: learner.UpdateSchedule,
    state: TrainState,
    sums: dict[str, np.ndarray],
  ):
    """Brings the environments to their state in `state`.

    Args:
      settings: settings of the run.
      layout: the layout of seeds and batches over devices.
      programs: the compiled functions.
      data: environments and replays.
      schedule: the schedule of updates.
      state: the state before the segment; its networks are donated.
      sums: zeros, to which metrics of updates are added.
    """
    self._settings, self._layout = settings, layout
    self._programs, self._data = programs, data
    self._schedule, self._state = schedule, state
    self._counters = HostCounters(state)
    self._keys = np.asarray(state.keys.run)
    self._env = data.restore_environments(
      state.env, state.replay, self._keys, self._counters.step
    )
    self._learning = state.nets, state.interventions, sums
    self._learning_keys = layout.replicate(state.keys)
    # Networks and intervention states for acting, on one device.
    self._acting = state.nets, state.interventions
    self._num_learned = 0
    self._clear_every = 0  # Steps of a task, if its end empties the replays.
    if settings.replay.clear_on_switch:
      self._clear_every = settings.environment_options['switch_every_steps']
    self._returns = self._env.episode_return.copy()
    self._episodes, self._return_sum = np.zeros((2, data.num_seeds))

  def run(self) -> tuple[TrainState, Metrics]:
    """Runs the segment; returns what `device_loop.segment` returns.

    Raises:
      UserError: the environments return data that do not fit the replay.
    """
    for _ in range(self._settings.segment_steps // self._data.num_envs):
      self._row()
    metrics = self._metrics()
    nets, intervention_states = self._acting
    env = self._env
    return self._counters.put(
      self._state._replace(
        nets=nets,
        interventions=intervention_states,
        env=self._data.snapshot(env.observation, self._returns, env.statistics),
      )
    ), metrics

  def _row(self):
    """Every environment steps once, and updates if they are due."""
    counters = self._counters
    step = counters.step
    self._clear_at_a_switch()
    due = self._schedule.due(step // self._data.num_envs)
    # With overlap, an update runs while the environments step. It does not use
    # the data of this step, and the next step is the first with its networks.
    overlap = self._settings.environment.overlap
    overlaps = overlap and due and self._is_ready()
    batches = self._sample(step) if overlaps else None
    actions = np.asarray(
      self._programs.act(
        self._state.keys.run,
        np.int32(step),
        *self._acting,
        running_statistics.normalize(
          self._env.statistics, self._env.observation
        ),
      )
    )
    if overlaps:
      self._learn(step, batches)
    self._step_environments(actions)
    counters.step += self._data.num_envs
    counters.stored += 1
    if due and not overlap and self._is_ready():
      self._learn(step, self._sample(step))

  def _clear_at_a_switch(self):
    """Before the first row of a task, as on the device."""
    counters, every = self._counters, self._clear_every
    if every and counters.step > 0 and counters.step % every == 0:
      for replay in self._state.replay.by_seed:
        replay.clear()
      counters.cleared = counters.stored

  def _is_ready(self):
    stored = self._counters.stored - self._counters.cleared
    return stored * self._data.num_envs >= self._settings.replay.min_size

  def _sample(self, step):
    return self._data.sample(
      self._state.replay,
      self._env,
      self._keys,
      'sample',
      step,
      num_batches=self._schedule.updates * self._programs.batches_per_update,
    )

  def _learn(self, step, batches):
    updates = self._schedule.updates
    self._learning = self._programs.learn(
      updates,
      *self._learning,
      self._learning_keys,
      (step, self._counters.updates),
      batches,
    )
    self._acting = self._layout.to_first_device(self._learning[:2])
    self._counters.updates += updates
    self._num_learned += 1

  def _step_environments(self, actions):
    """Steps environments by actions `[S, E, ...]`, and stores the rows."""
    data, env, returns = self._data, self._env, self._returns
    result = data.environments.step(flat(actions))
    result = result._make(map(data.by_seed, result))
    for seed, replay in enumerate(self._state.replay.by_seed):
      replay.add(
        Row(
          *(
            x[seed]
            for x in (
              env.observation,
              actions,
              result.reward,
              result.discount,
              result.observation,
              result.last,
            )
          )
        )
      )
    returns += result.score
    self._episodes += result.last.sum(1)
    self._return_sum += np.where(result.last, returns, 0).sum(1)
    returns[result.last] = 0
    statistics = running_statistics.update(env.statistics, result.observation)
    self._env = env._replace(
      observation=result.next_observation,
      statistics=running_statistics.update_returns(
        statistics, result.reward, result.last, self._settings.replay.discount
      ),
    )

  def _metrics(self):
    # Metrics are read only here, so the host does not wait for the device.
    *_, sums = self._learning
    sums = {name: np.asarray(value) for name, value in sums.items()}
    bad_step = sums.pop('bad_step')
    episodes, return_sum = self._episodes, self._return_sum
    if self._layout.sharers > 1:
      episodes, return_sum = np.sum(
        hosts.all_gather_object(
          'episodes', [episodes.tolist(), return_sum.tolist()]
        ),
        axis=0,
      )
    metrics = {'train/return': return_sum, 'train/episodes': episodes}
    with np.errstate(invalid='ignore'):  # No episode, or no update.
      metrics['train/return'] = return_sum / episodes
      for name, value in sums.items():
        metrics[f'train/{name}'] = value / np.float32(self._num_learned)
    updates = np.full(self._data.num_seeds, self._counters.updates)
    return {**metrics, 'bad_step': bad_step, 'updates': updates}
