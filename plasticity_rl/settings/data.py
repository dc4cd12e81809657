"""What can be configured of the data that agents learn from. Free of jax."""

import dataclasses

from plasticity_rl.settings.fields import setting


@dataclasses.dataclass(frozen=True)
class ReplayConfig:
  """A replay and what is drawn from it.

  Attributes:
    capacity: transitions kept, over all environments of a seed.
    min_size: transitions needed before updates begin.
    batch_size: transitions in an update.
    updates_per_step: the replay ratio: a whole number, or one over it.
    n_step: rewards summed in a transition.
    discount: gamma.
    later_updates_per_step: the replay ratio from when `later_when` is met, in
      the mean over seeds: an adaptive replay ratio (Ma et al., "Revisiting
      Plasticity in Visual RL", 2024, raise it once the active fraction of the
      encoder has settled); 0 for none.
    later_when: such as 'plasticity/q/active_units/encoder settles within 0.01'.
    later_patience: how often in a row.
    priming_updates: updates made on the first `min_size` transitions, before
      any more are collected ("heavy priming"); 0 for none.
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


@dataclasses.dataclass(frozen=True)
class DeviceReplayConfig(ReplayConfig):
  """Attributes: clear_on_switch: empty it when the task changes."""

  clear_on_switch: bool = False


@dataclasses.dataclass(frozen=True)
class HostReplayConfig(ReplayConfig):
  """Attributes: compress: frames, without loss; see `replay/frames.py`."""

  compress: bool = False


@dataclasses.dataclass(frozen=True)
class DatasetConfig:
  """Attributes: batch_size: examples in an update; one update is one step."""

  batch_size: int = setting(32, low=1)


@dataclasses.dataclass(frozen=True)
class EnvironmentConfig:
  """Common to games on the device.

  Attributes:
    name: of the environment.
    num_envs: parallel environments of a seed.
    switch_every_steps: a new task that often; truncates the episode.
    permute: what a task permutes: 'none', 'inputs' or 'channels'.
    permute_actions: whether it permutes actions as well.
    max_episode_steps: truncates longer episodes; 0 for none.
  """

  name: str = 'catch'
  num_envs: int = setting(1, low=1)
  switch_every_steps: int = setting(0, low=0)
  permute: str = setting('none', choices=('none', 'inputs', 'channels'))
  permute_actions: bool = False
  max_episode_steps: int = setting(0, low=0)


@dataclasses.dataclass(frozen=True)
class HostEnvironmentConfig:
  """Common to environments on the host.

  Attributes:
    name: of the environment, or `package.module:callable` for your own.
    num_envs: parallel environments of a seed.
    overlap: step them while the update runs that was due before, whose batch
      then lacks the newest step; off for exactness.
    normalize_observations: by their running mean and variance; vectors only.
  """

  name: str = ''
  num_envs: int = setting(1, low=1)
  overlap: bool = True
  normalize_observations: bool = False


@dataclasses.dataclass(frozen=True)
class RandomLabelsConfig:
  """Inputs that stay, labels that are drawn again with every task.

  Attributes:
    examples: inputs in the data set.
    input_size: features of an input, standard normal.
    classes: labels.
    switch_every_steps: length of a task.
  """

  name: str = 'random_labels'
  examples: int = setting(1000, low=1)
  input_size: int = setting(64, low=1)
  classes: int = setting(10, low=2)
  switch_every_steps: int = setting(500, low=0)


@dataclasses.dataclass(frozen=True)
class RecordedValuesConfig:
  """States with their Monte-Carlo values, from points of other runs in turn.

  Attributes:
    path: an .npz file, as `benchmarks.recorded` writes it.
    switch_every_steps: length of a task, the states of one point.
  """

  name: str = 'recorded_values'
  path: str = ''
  switch_every_steps: int = setting(500, low=0)


DATASETS = {
  'random_labels': RandomLabelsConfig,
  'recorded_values': RecordedValuesConfig,
}
