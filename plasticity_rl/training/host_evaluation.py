"""Evaluation episodes in environments on the host."""

from collections.abc import Callable

import jax
import numpy as np

from plasticity_rl import settings as settings_lib
from plasticity_rl.environments.host import HostEnvironments
from plasticity_rl.environments.task_sequence import TaskSequence
from plasticity_rl.training import running_statistics
from plasticity_rl.training.host_data_source import HostDataSource
from plasticity_rl.training.host_data_source import flat
from plasticity_rl.training.host_programs import HostPrograms
from plasticity_rl.types import TrainState
from plasticity_rl.types import name_tag


class HostEvaluation:
  """Evaluates greedily, in episodes with the same random seeds each time."""

  def __init__(
    self,
    settings: settings_lib.Settings,
    environments: Callable[..., HostEnvironments],
    data: HostDataSource,
    programs: HostPrograms,
  ):
    """Makes no environment yet.

    Args:
      settings: settings of the run.
      environments: `(num_envs, evaluation=True) -> environments`.
      data: the data source, which normalises observations.
      programs: the compiled functions of the agent.
    """
    self._first_seed = settings.seed
    self._num_envs = settings.environment.num_envs
    self._config = settings.evaluation
    self._make, self._data, self._programs = environments, data, programs
    self._environments: HostEnvironments | None = None

  def _begin(self, steps):
    """Starts N episodes for each seed; first observations `[S N, ...]`.

    Args:
      steps: steps of each environment so far, which tell the task of a
        sequence.
    """
    count = self._config.episodes
    if self._environments is None:
      self._environments = self._make(
        self._data.num_seeds * count, evaluation=True
      )
    seeds = np.concatenate(
      [
        np.random.default_rng(
          [int(name_tag('evaluate')), self._first_seed + seed]
        ).integers(2**32, size=count, dtype=np.uint32)
        for seed in range(self._data.num_seeds)
      ]
    )
    if isinstance(self._environments, TaskSequence):
      return self._environments.begin(seeds, steps)
    return self._environments.begin(seeds)

  def play(self, keys: jax.Array, state: TrainState) -> dict[str, np.ndarray]:
    """Runs the episodes.

    Args:
      keys: keys of the agent, `[S, 2]`, consumed.
      state: the state.

    Returns:
      'eval/return', the mean return, and 'eval/steps', the number of agent
      decisions in all episodes, each `[S]`.
    """
    data = self._data
    observation = self._begin(int(state.counters.step) // self._num_envs)
    returns, steps = np.zeros((2, data.num_seeds, self._config.episodes))
    playing = np.ones(returns.shape, bool)
    for t in range(self._config.max_steps):
      actions = np.asarray(
        self._programs.act_greedily(
          keys,
          np.int32(t),
          state.nets,
          running_statistics.normalize(
            state.env.statistics, data.by_seed(observation)
          ),
        )
      )
      result = self._environments.step(flat(actions))
      returns += np.where(playing, data.by_seed(result.score), 0)
      steps += playing
      playing &= ~data.by_seed(result.last)
      if not playing.any():
        break
      observation = result.next_observation
    return {'eval/return': returns.mean(1), 'eval/steps': steps.sum(1)}
