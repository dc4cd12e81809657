"""Settings of environments, replays and data sets. Does not import jax."""

import dataclasses

from plasticity_rl.settings.fields import setting


@dataclasses.dataclass(frozen=True)
class ReplayConfig:
  """A replay, and the updates that sample from it.

  Attributes:
    capacity: transitions kept, over all environments of a seed.
    min_size: transitions needed before updates begin.
    batch_size: transitions in an update.
    updates_per_step: the replay ratio: a whole number n or 1/n.
    n_step: rewards summed in a transition.
    discount: gamma.
    later_updates_per_step: the replay ratio after `later_when` has been met, in
      the mean over seeds; 0 for no change. This is an adaptive replay ratio (Ma
      et al., "Revisiting Plasticity in Visual RL", 2024, raise it once the
      encoder's fraction of active units no longer changes).
    later_when: a criterion, for instance
      'plasticity/q/active_units/encoder settles within 0.01'.
    later_patience: measurements in a row that must meet the criterion.
    priming_updates: updates on the first `min_size` transitions, before more
      transitions are collected ("heavy priming"); 0 for none.
    clear_on_switch: delete all transitions when the task changes; updates then
      wait for `min_size` transitions of the new task. Otherwise those of
      earlier tasks stay until newer ones replace them.
  """

  capacity: int = setting(10_000, low=1)
  min_size: int = setting(100, low=1)
  batch_size: int = setting(32, low=1)
  updates_per_step: float = 1.0
  n_step: int = setting(1, low=1)
  discount: float = setting(0.99, low=0, high=1)
  later_updates_per_step: float = setting(0.0, low=0)
  later_when: str = ''
  later_patience: int = setting(1, low=1)
  priming_updates: int = setting(0, low=0)
  clear_on_switch: bool = False


@dataclasses.dataclass(frozen=True)
class DeviceReplayConfig(ReplayConfig):
  """A replay on the device."""


@dataclasses.dataclass(frozen=True)
class HostReplayConfig(ReplayConfig):
  """A replay in the host's memory.

  Attributes:
    compress: compress frames, without loss; see `replay/frames.py`.
  """

  compress: bool = False


@dataclasses.dataclass(frozen=True)
class DatasetConfig:
  """A data set for supervised learning. One update is one step.

  Attributes:
    batch_size: examples in an update.
  """

  batch_size: int = setting(32, low=1)


@dataclasses.dataclass(frozen=True)
class EnvironmentConfig:
  """Settings that all environments on the device share.

  Attributes:
    name: of the environment.
    num_envs: parallel environments of a seed.
    switch_every_steps: steps of a task; a new task truncates the episode. 0
      for a single task.
    permute: the part of observations that a task permutes: 'none', 'inputs' or
      'channels'.
    permute_actions: whether a task permutes actions as well.
    vary: constants of a control problem that a task changes, such as
      ('gravity', 'length').
    vary_factor: each is multiplied by a factor between 1 / vary_factor and
      vary_factor, whose logarithm is uniform.
    gradual: whether a task turns into the next one little by little, over all
      of `switch_every_steps`, instead of at the switch. An episode keeps the
      task with which it began.
    max_episode_steps: truncates longer episodes; 0 for no limit.
    normalize_observations: by their running mean and variance, which go on over
      tasks; only vectors.
    scale_rewards: rewards of batches are divided by the running deviation of
      discounted returns, or by so much more that no return is beyond this
      number; 0 for no scaling.
  """

  name: str = 'catch'
  num_envs: int = setting(1, low=1)
  switch_every_steps: int = setting(0, low=0)
  permute: str = setting('none', choices=('none', 'inputs', 'channels'))
  permute_actions: bool = False
  vary: tuple[str, ...] = ()
  vary_factor: float = setting(2.0, low=1)
  gradual: bool = False
  max_episode_steps: int = setting(0, low=0)
  normalize_observations: bool = False
  scale_rewards: float = setting(0.0, low=0)


@dataclasses.dataclass(frozen=True)
class HostEnvironmentConfig:
  """Settings that all environments on the host share.

  Attributes:
    name: of the environment, or `package.module:callable` for your own.
    num_envs: parallel environments of a seed.
    overlap: step the environments while an update runs. That update cannot
      sample the newest step; turn it off for exact results.
    normalize_observations: by their running mean and variance; only vectors.
    scale_rewards: see `EnvironmentConfig`.
  """

  name: str = ''
  num_envs: int = setting(1, low=1)
  overlap: bool = True
  normalize_observations: bool = False
  scale_rewards: float = setting(0.0, low=0)


@dataclasses.dataclass(frozen=True)
class RandomLabelsConfig:
  """Fixed random inputs, with new random labels for every task.

  Attributes:
    examples: inputs in the data set.
    input_size: features of an input, drawn from a standard normal.
    classes: number of labels.
    switch_every_steps: steps of a task.
  """

  name: str = 'random_labels'
  examples: int = setting(1000, low=1)
  input_size: int = setting(64, low=1)
  classes: int = setting(10, low=2)
  switch_every_steps: int = setting(500, low=0)


@dataclasses.dataclass(frozen=True)
class RecordedValuesConfig:
  """States and their Monte-Carlo values, recorded at several steps of a run.

  Attributes:
    path: an .npz file, as `benchmarks.recorded` writes it.
    switch_every_steps: steps of a task; each task has the states of one point.
  """

  name: str = 'recorded_values'
  path: str = ''
  switch_every_steps: int = setting(500, low=0)


DATASETS = {
  'random_labels': RandomLabelsConfig,
  'recorded_values': RecordedValuesConfig,
}
