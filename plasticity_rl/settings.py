"""What can be configured: names, defaults, types and ranges. Free of jax.

Config files start from `default_config` and change what they need; `resolve`
checks a config whole, before anything is computed, and returns frozen
settings. Names end in `_steps`, `_updates` or `_frames` after what they count:
a step is a decision of one seed's agent, summed over its environments.
"""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import ml_collections

from plasticity_rl import agent_settings
from plasticity_rl import data_settings
from plasticity_rl import errors
from plasticity_rl import network_settings
from plasticity_rl.agent_settings import DQN as DQN
from plasticity_rl.agent_settings import SAC as SAC
from plasticity_rl.agent_settings import DrQ as DrQ
from plasticity_rl.agent_settings import Supervised as Supervised
from plasticity_rl.data_settings import Dataset as Dataset
from plasticity_rl.data_settings import DeviceReplay as DeviceReplay
from plasticity_rl.data_settings import Environment as Environment
from plasticity_rl.data_settings import HostEnvironment as HostEnvironment
from plasticity_rl.data_settings import HostReplay as HostReplay
from plasticity_rl.data_settings import RandomLabels as RandomLabels
from plasticity_rl.data_settings import RecordedValues as RecordedValues
from plasticity_rl.data_settings import Replay as Replay
from plasticity_rl.environments import host_registry
from plasticity_rl.environments import registry as environments
from plasticity_rl.network_settings import Network as Network
from plasticity_rl.network_settings import Optimizer as Optimizer
from plasticity_rl.network_settings import Regularizer as Regularizer

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
class Evaluation:
  """Separate episodes, played greedily, on the task of the moment.

  Attributes:
    every_steps: how often.
    episodes: per seed.
    max_steps: an episode is cut there and counts with what it has.
  """

  every_steps: int = 1000
  episodes: int = 20
  max_steps: int = 1000


@dataclasses.dataclass(frozen=True)
class Diagnostics:
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

  every_steps: int = 1000
  names: tuple = ('weight_norm', 'srank', 'dead_units', 'dormant_units')
  probe_size: int = 256
  tau: float = 0.025
  delta: float = 0.01
  target: bool = False
  covariance_examples: int = 32
  hessian_iterations: int = 20
  fit_steps: int = 2000
  fit_draws: int = 10


@dataclasses.dataclass(frozen=True)
class Checkpoint:
  """When the run is saved.

  Attributes:
    every_steps: how often.
    keep: how many of the newest stay; those that a fork was made from stay
      beside them.
  """

  every_steps: int = 10_000
  keep: int = 2


@dataclasses.dataclass(frozen=True)
class Log:
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
class Fork:
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

  step: int = -1
  horizon: int = 1000
  arms: tuple = DEFAULT_ARMS
  metric: str = 'eval/return'
  margin: float = 0.0
  replicates: int = 0
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

  seed: int = 1
  num_seeds: int = 1
  num_steps: int = 10_000
  segment_steps: int = 1000
  interventions: tuple = ()
  parallel: str = 'auto'
  devices: int = 0
  agent: DQN | Supervised | SAC | DrQ = DQN()
  network: Network = Network()
  regularizer: Regularizer = Regularizer()
  optimizer: Optimizer = Optimizer()
  environment: (
      Environment | HostEnvironment | RandomLabels | RecordedValues
  ) = Environment()
  environment_options: Mapping[str, Any] = dataclasses.field(
      default_factory=dict
  )
  replay: Replay | Dataset = DeviceReplay()
  evaluation: Evaluation = Evaluation()
  diagnostics: Diagnostics = Diagnostics()
  checkpoint: Checkpoint = Checkpoint()
  log: Log = Log()
  fork: Fork = Fork()


# Bounds, inclusive; None for none. Names not listed are free.
_RANGES = {'seed': (0, 2**31 - 1), 'fork.step': (-1, None)} | dict.fromkeys((
    'diagnostics.probe_size', 'diagnostics.covariance_examples',
), (2, None)) | dict.fromkeys((
    'num_seeds', 'num_steps', 'segment_steps',
    'evaluation.every_steps', 'evaluation.episodes', 'evaluation.max_steps',
    'diagnostics.every_steps', 'checkpoint.every_steps', 'checkpoint.keep',
    'fork.horizon',
    'diagnostics.hessian_iterations', 'diagnostics.fit_steps',
    'diagnostics.fit_draws',
), (1, None)) | dict.fromkeys((
    'diagnostics.tau', 'fork.margin',
    'fork.replicates', 'devices',
), (0, None)) | dict.fromkeys((
    'diagnostics.delta',
), (0, 1)) | agent_settings.RANGES | data_settings.RANGES | (
    network_settings.RANGES
)
_CHOICES = {'parallel': ('none', 'data', 'seeds', 'auto')} | (
    agent_settings.CHOICES | data_settings.CHOICES | network_settings.CHOICES
)
_AGENTS = agent_settings.AGENTS


def default_config(
    agent: str = 'dqn', environment: str = 'catch'
) -> ml_collections.ConfigDict:
  """Every key that a config of this agent and environment has."""
  return ml_collections.ConfigDict(_defaults(agent, environment))


def _defaults(agent, environment):
  if agent not in _AGENTS:
    raise errors.UserError(errors.nearest('agent.name', agent, _AGENTS))
  kind, replay = _data(agent, environment)
  section = dataclasses.asdict(kind(name=environment))
  if agent != 'supervised':
    section.update(environments.options(environment))
  settings = Settings(agent=_AGENTS[agent](), replay=replay())
  tree = dataclasses.asdict(settings)
  del tree['environment_options']
  return {**tree, 'environment': section}


def _data(agent, environment):
  """Where data come from: the classes of environment and replay."""
  if agent == 'supervised':
    datasets = data_settings.DATASETS
    if environment not in datasets:
      raise errors.UserError(
          errors.nearest(f'environment for {agent}', environment, datasets)
      )
    return datasets[environment], Dataset
  environments.options(environment)  # Refuses unknown names.
  if host_registry.is_host(environment):
    return HostEnvironment, HostReplay
  return Environment, DeviceReplay


def resolve(config: Mapping[str, Any]) -> Settings:
  """Checks a config, from a file or from JSON, and freezes it."""
  if isinstance(config, ml_collections.ConfigDict):
    config = config.to_dict()
  names = []
  for section in ('agent', 'environment'):
    value = config.get(section)
    if not isinstance(value, Mapping) or 'name' not in value:
      raise errors.UserError(f'the config has no {section}.name')
    names.append(value['name'])
  tree = _check(config, _defaults(*names), '')
  kind, replay = _data(*names)
  section, common = tree['environment'], dataclasses.fields(kind)
  tree['environment'] = kind(**{
      field.name: section.pop(field.name) for field in common
  })
  tree['agent'] = _AGENTS[names[0]](**tree['agent'])
  tree['replay'] = replay(**tree['replay'])
  for field in dataclasses.fields(Settings):
    if isinstance(tree.get(field.name), dict):
      tree[field.name] = type(field.default)(**tree[field.name])
  settings = Settings(**tree, environment_options=section)
  _check_together(settings)
  return settings


def to_dict(settings: Settings) -> dict[str, Any]:
  """The config that `resolve` would make these settings of."""
  tree = dataclasses.asdict(settings)
  tree['environment'].update(tree.pop('environment_options'))
  return tree


def _check(value, default, path):
  """`value` in the types of `default`; errors name the dotted path."""
  if isinstance(default, dict):
    if not isinstance(value, Mapping):
      raise errors.UserError(f'config.{path} must be a section of keys')
    prefix = f'{path}.' if path else ''
    for key in value:
      if key not in default:
        raise errors.UserError(
            errors.nearest(f'config key in {path or "config"}', key, default)
        )
    # What a run of an earlier version does not name had no effect there.
    return {
        key: _check(value.get(key, default[key]), default[key],
                    f'{prefix}{key}')
        for key in default
    }
  if isinstance(default, tuple):
    if isinstance(value, str) or not isinstance(value, (tuple, list)):
      raise errors.UserError(f'config.{path} must be a tuple: {value!r}')
    return tuple(
        tuple(v) if isinstance(v, (tuple, list)) else v for v in value
    )
  if isinstance(default, float) and type(value) is int:
    value = float(value)
  if type(value) is not type(default):
    raise errors.UserError(
        f'config.{path} must be of type {type(default).__name__}: {value!r}'
    )
  low, high = _RANGES.get(path, (None, None))
  if (low is not None and not value >= low) or (
      high is not None and not value <= high
  ):
    bounds = f'at least {low}' if high is None else f'{low} to {high}'
    raise errors.UserError(f'config.{path} must be {bounds}: {value!r}')
  if isinstance(value, float) and not math.isfinite(value):
    raise errors.UserError(f'config.{path} must be a finite number: {value!r}')
  if path in _CHOICES and value not in _CHOICES[path]:
    raise errors.UserError(
        errors.nearest(f'config.{path}', value, _CHOICES[path])
    )
  return value


def _check_together(s):
  """What no key can be checked for by itself."""
  for name in ('hidden', 'convolutions'):
    for item in getattr(s.network, name):
      sizes = item if name == 'convolutions' else (item,)
      length = 3 if name == 'convolutions' else 1
      good = isinstance(sizes, tuple) and len(sizes) == length and all(
          type(size) is int and size > 0 for size in sizes
      )
      if not good:
        raise errors.UserError(
            f'config.network.{name} must hold positive whole numbers'
            f'{", (filters, kernel, stride) each" * (length == 3)}: {item!r}'
        )
  if s.replay.batch_size % s.optimizer.microbatches:
    raise errors.UserError(
        f'config.replay.batch_size ({s.replay.batch_size}) must be a multiple '
        f'of optimizer.microbatches ({s.optimizer.microbatches})'
    )
  for name in ('b1', 'b2'):
    if getattr(s.optimizer, name) == 1:  # Its bias could not be corrected.
      raise errors.UserError(f'config.optimizer.{name} must be below 1: 1.0')
  if isinstance(s.agent, SAC) and s.agent.log_std_min >= s.agent.log_std_max:
    raise errors.UserError(
        f'config.agent.log_std_min ({s.agent.log_std_min}) must be below '
        f'log_std_max ({s.agent.log_std_max})'
    )
  if not isinstance(s.environment, (Environment, HostEnvironment)):
    return
  env, replay = s.environment, s.replay
  switch_every = getattr(env, 'switch_every_steps', 0)
  for label, steps in (
      ('environment.switch_every_steps', switch_every),
      ('segment_steps', s.segment_steps),
      ('replay.capacity', replay.capacity),
  ):
    if steps % env.num_envs:
      raise errors.UserError(
          f'config.{label} ({steps}) must be a multiple of '
          f'environment.num_envs ({env.num_envs})'
      )
  if not replay.n_step * env.num_envs <= replay.min_size <= replay.capacity:
    raise errors.UserError(
        'config.replay.min_size must be between n_step * num_envs '
        f'({replay.n_step * env.num_envs}) and capacity '
        f'({replay.capacity}): {replay.min_size}'
    )
  if bool(replay.later_updates_per_step) != bool(replay.later_when):
    raise errors.UserError(
        'config.replay.later_updates_per_step and later_when go together: '
        f'{replay.later_updates_per_step} and {replay.later_when!r}'
    )
  chunk = PRIMING_CHUNK
  if replay.priming_updates > chunk and replay.priming_updates % chunk:
    raise errors.UserError(
        f'config.replay.priming_updates must be a multiple of {chunk}, or '
        f'less: {replay.priming_updates}'
    )
  if isinstance(env, HostEnvironment):
    return
  switches = env.permute != 'none' or env.permute_actions
  if switches != bool(env.switch_every_steps):
    raise errors.UserError(
        'config.environment.switch_every_steps is '
        f'{env.switch_every_steps}, but permute is {env.permute!r} and '
        f'permute_actions is {env.permute_actions}: a sequence of tasks '
        'needs both a permutation and a length'
    )
