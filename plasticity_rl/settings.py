"""What can be configured: names, defaults, types and ranges. Free of jax.

Config files start from `default_config` and change what they need; `resolve`
checks a config whole, before anything is computed, and returns frozen
settings. Names end in `_steps`, `_updates` or `_frames` after what they count:
a step is a decision of one seed's agent, summed over its environments.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import ml_collections

from plasticity_rl import agent_settings
from plasticity_rl import errors
from plasticity_rl import network_settings
from plasticity_rl.agent_settings import DQN as DQN
from plasticity_rl.agent_settings import SAC as SAC
from plasticity_rl.agent_settings import DrQ as DrQ
from plasticity_rl.agent_settings import Supervised as Supervised
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
class Replay:
  """The replay and what is drawn from it.

  Attributes:
    capacity: transitions kept, over all environments of a seed.
    min_size: transitions needed before updates begin.
    batch_size: transitions in an update.
    updates_per_step: the replay ratio: a whole number, or one over it.
    n_step: rewards summed in a transition.
    discount: gamma.
    clear_on_switch: empty it when the task changes.
    later_updates_per_step: the replay ratio from when `later_when` is met, in
      the mean over seeds: an adaptive replay ratio (Ma et al., "Revisiting
      Plasticity in Visual RL", 2024, raise it once the active fraction of the
      encoder has settled); 0 for none.
    later_when: such as 'plasticity/q/active_units/encoder settles within 0.01'.
    later_patience: how often in a row.
    priming_updates: updates made on the first `min_size` transitions, before
      any more are collected ("heavy priming"); 0 for none.
  """

  capacity: int = 10_000
  min_size: int = 100
  batch_size: int = 32
  updates_per_step: float = 1.0
  n_step: int = 1
  discount: float = 0.99
  clear_on_switch: bool = False
  later_updates_per_step: float = 0.0
  later_when: str = ''
  later_patience: int = 1
  priming_updates: int = 0


@dataclasses.dataclass(frozen=True)
class Dataset:
  """Attributes: batch_size: examples in an update; one update is one step."""

  batch_size: int = 32


@dataclasses.dataclass(frozen=True)
class Environment:
  """Common to all games.

  Attributes:
    name: of the environment.
    num_envs: parallel environments of a seed.
    switch_every_steps: a new task that often; truncates the episode.
    permute: what a task permutes: 'none', 'inputs' or 'channels'.
    permute_actions: whether it permutes actions as well.
    max_episode_steps: truncates longer episodes; 0 for none.
  """

  name: str = 'catch'
  num_envs: int = 1
  switch_every_steps: int = 0
  permute: str = 'none'
  permute_actions: bool = False
  max_episode_steps: int = 0


@dataclasses.dataclass(frozen=True)
class RandomLabels:
  """Inputs that stay, labels that are drawn again with every task.

  Attributes:
    examples: inputs in the data set.
    input_size: features of an input, standard normal.
    classes: labels.
    switch_every_steps: length of a task.
  """

  name: str = 'random_labels'
  examples: int = 1000
  input_size: int = 64
  classes: int = 10
  switch_every_steps: int = 500


@dataclasses.dataclass(frozen=True)
class RecordedValues:
  """States with their Monte-Carlo values, from points of other runs in turn.

  Attributes:
    path: an .npz file, as `experiment.recorded` writes it.
    switch_every_steps: length of a task, the states of one point.
  """

  name: str = 'recorded_values'
  path: str = ''
  switch_every_steps: int = 500


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
  """Attributes: every_steps: how often; keep: how many of the newest."""

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
    environment_options: those that only this environment has.
  """

  seed: int = 1
  num_seeds: int = 1
  num_steps: int = 10_000
  segment_steps: int = 1000
  interventions: tuple = ()
  agent: DQN | Supervised | SAC | DrQ = DQN()
  network: Network = Network()
  regularizer: Regularizer = Regularizer()
  optimizer: Optimizer = Optimizer()
  environment: Environment | RandomLabels | RecordedValues = Environment()
  environment_options: Mapping[str, Any] = dataclasses.field(
      default_factory=dict
  )
  replay: Replay | Dataset = Replay()
  evaluation: Evaluation = Evaluation()
  diagnostics: Diagnostics = Diagnostics()
  checkpoint: Checkpoint = Checkpoint()
  log: Log = Log()
  fork: Fork = Fork()


# Bounds, inclusive; None for none. Names not listed are free.
_RANGES = {'seed': (0, 2**31 - 1), 'fork.step': (-1, None)} | dict.fromkeys((
    'environment.classes', 'diagnostics.probe_size',
    'diagnostics.covariance_examples',
), (2, None)) | dict.fromkeys((
    'num_seeds', 'num_steps', 'segment_steps',
    'environment.num_envs', 'environment.examples', 'environment.input_size',
    'replay.capacity', 'replay.min_size', 'replay.batch_size',
    'replay.n_step', 'replay.later_patience', 'evaluation.every_steps',
    'evaluation.episodes', 'evaluation.max_steps', 'diagnostics.every_steps',
    'checkpoint.every_steps', 'checkpoint.keep', 'fork.horizon',
    'diagnostics.hessian_iterations', 'diagnostics.fit_steps',
    'diagnostics.fit_draws',
), (1, None)) | dict.fromkeys((
    'environment.switch_every_steps',
    'environment.max_episode_steps', 'replay.priming_updates',
    'replay.later_updates_per_step',
    'diagnostics.tau', 'fork.margin', 'fork.replicates',
), (0, None)) | dict.fromkeys((
    'replay.discount', 'diagnostics.delta',
), (0, 1)) | network_settings.RANGES | agent_settings.RANGES
_CHOICES = {
    'environment.permute': ('none', 'inputs', 'channels'),
} | network_settings.CHOICES | agent_settings.CHOICES
_AGENTS = agent_settings.AGENTS
_DATASETS = {
    'random_labels': RandomLabels, 'recorded_values': RecordedValues
}


def default_config(
    agent: str = 'dqn', environment: str = 'catch'
) -> ml_collections.ConfigDict:
  """Every key that a config of this agent and environment has."""
  return ml_collections.ConfigDict(_defaults(agent, environment))


def _defaults(agent, environment):
  if agent not in _AGENTS:
    raise errors.UserError(errors.nearest('agent.name', agent, _AGENTS))
  supervised = agent == 'supervised'
  names = _DATASETS if supervised else environments.NAMES
  if environment not in names:
    raise errors.UserError(
        errors.nearest(f'environment for {agent}', environment, names)
    )
  if supervised:
    section = dataclasses.asdict(_DATASETS[environment]())
    replay = Dataset()
  else:
    section = {
        **dataclasses.asdict(Environment(name=environment)),
        **environments.OPTIONS[environment],
    }
    replay = Replay()
  settings = Settings(agent=_AGENTS[agent](), replay=replay)
  tree = dataclasses.asdict(settings)
  del tree['environment_options']
  return {**tree, 'environment': section}


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
  options = {}
  if names[0] != 'supervised':
    common = {f.name for f in dataclasses.fields(Environment)}
    options = {
        k: v for k, v in tree['environment'].items() if k not in common
    }
    tree['environment'] = Environment(
        **{k: tree['environment'][k] for k in common}
    )
  else:
    tree['environment'] = _DATASETS[names[1]](**tree['environment'])
  tree['agent'] = _AGENTS[names[0]](**tree['agent'])
  tree['replay'] = (
      Dataset if names[0] == 'supervised' else Replay
  )(**tree['replay'])
  for field in dataclasses.fields(Settings):
    if isinstance(tree.get(field.name), dict):
      tree[field.name] = type(field.default)(**tree[field.name])
  settings = Settings(**tree, environment_options=options)
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
  if not isinstance(s.environment, Environment):
    return
  env, replay = s.environment, s.replay
  for label, steps in (
      ('environment.switch_every_steps', env.switch_every_steps),
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
  switches = env.permute != 'none' or env.permute_actions
  if switches != bool(env.switch_every_steps):
    raise errors.UserError(
        'config.environment.switch_every_steps is '
        f'{env.switch_every_steps}, but permute is {env.permute!r} and '
        f'permute_actions is {env.permute_actions}: a sequence of tasks '
        'needs both a permutation and a length'
    )
