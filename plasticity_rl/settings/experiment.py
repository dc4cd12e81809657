"""A whole experiment as frozen settings, section by section."""

import dataclasses
from collections.abc import Mapping
from typing import Any

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

# Updates in a compiled call while priming, between which a run can be stopped.
PRIMING_CHUNK = 1000


@dataclasses.dataclass(frozen=True)
class EvaluationConfig:
  """Separate episodes, played greedily, on the task of the moment.

  Attributes:
    every_steps: how often.
    episodes: per seed.
    max_steps: an episode is cut there and counts with what it has.
  """

  every_steps: int = setting(1000, low=1)
  episodes: int = setting(20, low=1)
  max_steps: int = setting(1000, low=1)


@dataclasses.dataclass(frozen=True)
class DiagnosticsConfig:
  """What is measured of the networks, on a batch of the replay.

  Attributes:
    every_steps: how often.
    names: diagnostics, by name, of `diagnostics.registry`.
    probe_size: examples in the batch.
    tau: up to which share of its layer's mean a unit is called dormant.
    delta: of the effective rank srank_delta.
    target: whether to look at weights and features of target networks too.
    covariance_examples: gradients in gradient_covariance.
    hessian_iterations: of Lanczos.
    fit_steps, fit_draws: updates, and draws of targets, in target_fitting.
  """

  every_steps: int = setting(1000, low=1)
  names: tuple = ('weight_norm', 'srank', 'dead_units', 'dormant_units')
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
  """When the run is saved.

  Attributes:
    every_steps: how often.
    keep: how many of the newest stay; those that a fork was made from stay
      beside them.
  """

  every_steps: int = setting(10_000, low=1)
  keep: int = setting(2, low=1)


@dataclasses.dataclass(frozen=True)
class LogConfig:
  """Besides metrics.csv.

  Attributes:
    progress: a bar in the terminal.
    tensorboard: event files in `tb/`.
    wandb: Weights & Biases, into the project of that name; '' for none.
  """

  progress: bool = True
  tensorboard: bool = False
  wandb: str = ''


@dataclasses.dataclass(frozen=True)
class ForkConfig:
  """A fork of the run into arms that differ by one intervention.

  Attributes:
    step: where it forks; -1 at the end of the run.
    horizon: steps that each arm goes on.
    arms: expressions `label=intervention(option=value)`; one is 'control'.
    metric: what is compared, a column of metrics.csv; higher is better.
    margin: a gain up to this is no evidence; 0 for 10 % of returns' range.
    replicates: continues a single seed so many times with different keys; the
      verdict then is of this network only. 0 for none.
    proxy_steps: where `--proxies` forks; () at the ends of ten equal parts.
  """

  step: int = setting(-1, low=-1)
  horizon: int = setting(1000, low=1)
  arms: tuple = DEFAULT_ARMS
  metric: str = 'eval/return'
  margin: float = setting(0.0, low=0)
  replicates: int = setting(0, low=0)
  proxy_steps: tuple = ()


@dataclasses.dataclass(frozen=True)
class Settings:
  """A whole experiment.

  Attributes:
    seed: of the first seed; the others count up from it.
    num_seeds: run in one program.
    num_steps: length of the run.
    segment_steps: of a compiled segment; events happen between segments.
    interventions: expressions with `at_steps` or `every_steps`.
    parallel: how the run is spread over devices: 'none', on one; 'seeds', a
      share of the seeds each; 'data', a share of every batch each; 'auto',
      'seeds' where their number divides, else 'data'.
    devices: how many to take; 0 for all.
    environment_options: those that only this environment has.
  """

  seed: int = setting(1, low=0, high=2**31 - 1)
  num_seeds: int = setting(1, low=1)
  num_steps: int = setting(10_000, low=1)
  segment_steps: int = setting(1000, low=1)
  interventions: tuple = ()
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
