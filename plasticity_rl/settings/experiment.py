"""The settings of a whole experiment, section by section."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from plasticity_rl.settings import items
from plasticity_rl.settings.agent import DQNConfig
from plasticity_rl.settings.agent import DrQConfig
from plasticity_rl.settings.agent import SACConfig
from plasticity_rl.settings.agent import SupervisedConfig
from plasticity_rl.settings.data import DatasetConfig
from plasticity_rl.settings.data import DeviceReplayConfig
from plasticity_rl.settings.data import EnvironmentConfig
from plasticity_rl.settings.data import HostEnvironmentConfig
from plasticity_rl.settings.data import RandomLabelsConfig
from plasticity_rl.settings.data import RecordedValuesConfig
from plasticity_rl.settings.data import ReplayConfig
from plasticity_rl.settings.fields import setting
from plasticity_rl.settings.network import NetworkConfig
from plasticity_rl.settings.network import OptimizerConfig
from plasticity_rl.settings.network import RegularizerConfig

DEFAULT_ARMS = (
  'control',
  'injection',
  'head_reset=reset(scope="head")',
  'shrink_and_perturb',
  'optimizer_reset',
)

# More would take gigabytes before their memory could be checked.
MOST_SEEDS = 65_536

# Updates in one compiled call of priming. A run can stop between calls.
PRIMING_CHUNK = 1000


@dataclasses.dataclass(frozen=True)
class EvaluationConfig:
  """Separate evaluation episodes with the greedy policy, on the current task.

  Attributes:
    every_steps: steps between evaluations.
    episodes: episodes for each seed.
    max_steps: a longer episode ends here; its return so far counts.
  """

  every_steps: int = setting(1000, low=1)
  episodes: int = setting(20, low=1)
  max_steps: int = setting(1000, low=1)


@dataclasses.dataclass(frozen=True)
class DiagnosticsConfig:
  """Measurements of the networks on a batch from the replay.

  Attributes:
    every_steps: steps between measurements.
    names: names of diagnostics in `diagnostics.registry`.
    probe_size: examples in the batch.
    tau: a unit is dormant if its mean absolute activation is at most tau times
      the mean of its layer.
    delta: threshold of the effective rank srank_delta.
    target: whether weights and features of target networks are measured too.
    covariance_examples: gradients of single examples in gradient_covariance,
      ntk_rank and ntk_condition.
    hessian_iterations: iterations of Lanczos.
    fit_steps: updates in target_fitting.
    fit_draws: draws of targets in target_fitting.
  """

  every_steps: int = setting(1000, low=1)
  names: tuple = setting(
    ('weight_norm', 'srank', 'dead_units', 'dormant_units'), items=items.texts
  )
  probe_size: int = setting(256, low=2)
  tau: float = setting(0.025, low=0)
  delta: float = setting(0.01, low=0, high=1)
  target: bool = False
  covariance_examples: int = setting(32, low=2)
  hessian_iterations: int = setting(20, low=1)
  fit_steps: int = setting(2000, low=1)
  fit_draws: int = setting(10, low=1)


@dataclasses.dataclass(frozen=True)
class CheckpointConfig:
  """Checkpoints of the run.

  Attributes:
    every_steps: steps between checkpoints.
    keep: how many of the newest are kept. Checkpoints from which a fork was
      made are kept as well.
  """

  every_steps: int = setting(10_000, low=1)
  keep: int = setting(2, low=1)


@dataclasses.dataclass(frozen=True)
class LogConfig:
  """Logs in addition to metrics.csv.

  Attributes:
    progress: show a progress bar in the terminal.
    tensorboard: write event files to `tb/`.
    wandb: name of a project in Weights & Biases; '' for none.
    trackio: name of a project in Trackio; '' for none.
  """

  progress: bool = True
  tensorboard: bool = False
  wandb: str = ''
  trackio: str = ''


@dataclasses.dataclass(frozen=True)
class ForkConfig:
  """A fork of the run into arms that differ by one intervention.

  Attributes:
    step: the step at which to fork; -1 for the end of the run.
    horizon: steps of each arm after the fork.
    arms: expressions `label=intervention(option=value)`; one is 'control'.
    metric: the column of metrics.csv to compare; higher is better.
    margin: a gain up to this size does not count; 0 for 10 % of the range of
      returns.
    replicates: continue a single seed this many times with different keys; the
      verdict then applies to this network only. 0 for none.
    proxy_steps: the steps at which `--proxies` forks; () for the ends of ten
      equal parts of the run.
  """

  step: int = setting(-1, low=-1)
  horizon: int = setting(1000, low=1)
  arms: tuple = setting(DEFAULT_ARMS, items=items.texts)
  metric: str = 'eval/return'
  margin: float = setting(0.0, low=0)
  replicates: int = setting(0, low=0, high=MOST_SEEDS)
  proxy_steps: tuple = setting((), items=items.sizes)


@dataclasses.dataclass(frozen=True)
class Settings:
  """A whole experiment.

  Attributes:
    seed: the first seed; the others count up from it.
    num_seeds: seeds that one program trains together.
    num_steps: length of the run.
    segment_steps: steps of a compiled segment. Evaluations, measurements and
      checkpoints happen between segments.
    interventions: expressions `label=intervention(option=value)` that say when:
      `at_steps`, `every_steps`, `every_updates` or `when`.
    parallel: how the run uses devices: 'none' uses one; 'seeds' gives each some
      of the seeds; 'data' gives each a part of every batch; 'auto' is 'seeds'
      if the number of seeds is a multiple of the devices, else 'data'.
    devices: how many devices to use; 0 for all.
    environment_options: options that only this environment has.
  """

  seed: int = setting(1, low=0, high=2**31 - 1)
  num_seeds: int = setting(1, low=1, high=MOST_SEEDS)
  num_steps: int = setting(10_000, low=1)
  segment_steps: int = setting(1000, low=1)
  interventions: tuple = setting((), items=items.texts)
  parallel: str = setting('auto', choices=('none', 'data', 'seeds', 'auto'))
  devices: int = setting(0, low=0)
  agent: DQNConfig | SupervisedConfig | SACConfig | DrQConfig = DQNConfig()
  network: NetworkConfig = NetworkConfig()
  regularizer: RegularizerConfig = RegularizerConfig()
  optimizer: OptimizerConfig = OptimizerConfig()
  environment: (
    EnvironmentConfig
    | HostEnvironmentConfig
    | RandomLabelsConfig
    | RecordedValuesConfig
  ) = EnvironmentConfig()
  environment_options: Mapping[str, Any] = dataclasses.field(
    default_factory=dict
  )
  replay: ReplayConfig | DatasetConfig = DeviceReplayConfig()
  evaluation: EvaluationConfig = EvaluationConfig()
  diagnostics: DiagnosticsConfig = DiagnosticsConfig()
  checkpoint: CheckpointConfig = CheckpointConfig()
  log: LogConfig = LogConfig()
  fork: ForkConfig = ForkConfig()
