"""All settings: names, defaults, types and ranges. Does not import jax.

Config files start from `default_config` and change some keys; `resolve` returns
frozen settings. Names end in `_steps`, `_updates` or `_frames`, the unit that
they count. A step is one decision of a seed's agent in one environment; steps
of parallel environments add up.
"""

from plasticity_rl.settings.agent import DQNConfig as DQNConfig
from plasticity_rl.settings.agent import DrQConfig as DrQConfig
from plasticity_rl.settings.agent import SACConfig as SACConfig
from plasticity_rl.settings.agent import SupervisedConfig as SupervisedConfig
from plasticity_rl.settings.config import default_config as default_config
from plasticity_rl.settings.config import resolve as resolve
from plasticity_rl.settings.config import to_dict as to_dict
from plasticity_rl.settings.data import DatasetConfig as DatasetConfig
from plasticity_rl.settings.data import DeviceReplayConfig as DeviceReplayConfig
from plasticity_rl.settings.data import EnvironmentConfig as EnvironmentConfig
from plasticity_rl.settings.data import (
  HostEnvironmentConfig as HostEnvironmentConfig,
)
from plasticity_rl.settings.data import HostReplayConfig as HostReplayConfig
from plasticity_rl.settings.data import RandomLabelsConfig as RandomLabelsConfig
from plasticity_rl.settings.data import (
  RecordedValuesConfig as RecordedValuesConfig,
)
from plasticity_rl.settings.data import ReplayConfig as ReplayConfig
from plasticity_rl.settings.experiment import DEFAULT_ARMS as DEFAULT_ARMS
from plasticity_rl.settings.experiment import PRIMING_CHUNK as PRIMING_CHUNK
from plasticity_rl.settings.experiment import (
  CheckpointConfig as CheckpointConfig,
)
from plasticity_rl.settings.experiment import (
  DiagnosticsConfig as DiagnosticsConfig,
)
from plasticity_rl.settings.experiment import (
  EvaluationConfig as EvaluationConfig,
)
from plasticity_rl.settings.experiment import ForkConfig as ForkConfig
from plasticity_rl.settings.experiment import LogConfig as LogConfig
from plasticity_rl.settings.experiment import Settings as Settings
from plasticity_rl.settings.network import NetworkConfig as NetworkConfig
from plasticity_rl.settings.network import OptimizerConfig as OptimizerConfig
from plasticity_rl.settings.network import (
  RegularizerConfig as RegularizerConfig,
)
