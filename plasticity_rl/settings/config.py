"""Turns a config into settings, and checks every key.

`resolve` checks the whole config before anything is computed, and returns
frozen settings. Messages name the dotted path of the wrong key.
"""

import dataclasses
import math
import numbers
from collections.abc import Mapping
from typing import Any

import ml_collections

from plasticity_rl import aliases
from plasticity_rl import errors
from plasticity_rl.environments import host_registry
from plasticity_rl.environments import import_paths
from plasticity_rl.environments import registry as environments
from plasticity_rl.settings import agent as agent_settings
from plasticity_rl.settings import arguments
from plasticity_rl.settings import data as data_settings
from plasticity_rl.settings import fields
from plasticity_rl.settings import items
from plasticity_rl.settings.agent import SACConfig
from plasticity_rl.settings.data import DatasetConfig
from plasticity_rl.settings.data import DeviceReplayConfig
from plasticity_rl.settings.data import EnvironmentConfig
from plasticity_rl.settings.data import HostEnvironmentConfig
from plasticity_rl.settings.data import HostReplayConfig
from plasticity_rl.settings.experiment import PRIMING_CHUNK
from plasticity_rl.settings.experiment import Settings

_AGENTS = agent_settings.AGENTS
# Options of environments that are tuples.
_ITEMS = {'return_range': items.interval, 'parameters': items.pairs}


def default_config(
  agent: str = 'dqn', environment: str = 'catch'
) -> ml_collections.ConfigDict:
  """A config with every key that this agent and environment have.

  Args:
    agent: 'dqn', 'sac', 'drq' or 'supervised'.
    environment: a name of `environments.registry`, or of a data set for
      'supervised'.

  Returns:
    The config with its default values.

  Raises:
    UserError: there is no agent or environment of that name.
  """
  return ml_collections.ConfigDict(_defaults(agent, environment))


def _defaults(agent: str, environment: str) -> dict[str, Any]:
  kind, replay = _data(agent, environment)
  section = dataclasses.asdict(kind(name=environment))
  if agent != 'supervised':
    section.update(environments.options(environment))
  settings = Settings(agent=_AGENTS[agent](), replay=replay())
  tree = dataclasses.asdict(settings)
  del tree['environment_options']
  return {**tree, 'environment': section}


def _data(agent: str, environment: str) -> tuple[Any, Any]:
  """The settings classes of the environment and the replay."""
  if agent not in _AGENTS:
    raise errors.UserError(errors.nearest('agent.name', agent, _AGENTS))
  if agent == 'supervised':
    datasets = data_settings.DATASETS
    if environment not in datasets:
      raise errors.UserError(
        errors.nearest(f'environment for {agent}', environment, datasets)
      )
    return datasets[environment], DatasetConfig
  environments.options(environment)  # Refuses unknown names.
  if host_registry.is_host(environment):
    return HostEnvironmentConfig, HostReplayConfig
  return EnvironmentConfig, DeviceReplayConfig


def resolve(config: Mapping[str, Any]) -> Settings:
  """Checks a config, from a file or from JSON, and freezes it.

  Args:
    config: sections and keys; keys that are missing take their defaults.

  Returns:
    The settings.

  Raises:
    UserError: a key is unknown, or a value is not valid; the message names the
      dotted path, and the nearest or all valid choices.
  """
  config = _plain(config)
  names = []
  for section in ('agent', 'environment'):
    value = config.get(section)
    if not isinstance(value, Mapping) or 'name' not in value:
      raise errors.UserError(f'the config has no {section}.name')
    if type(value['name']) is not str:
      raise errors.UserError(
        f'config.{section}.name must be of type str: '
        f'{errors.shown(value["name"])}'
      )
    names.append(value['name'])
  config = aliases.without_removed_keys(config)
  kind, replay = _data(*names)
  _check_same_kind(config, *names)
  tree = _check(config, _defaults(*names), '', setting_limits(*names))
  section, common = tree['environment'], dataclasses.fields(kind)
  tree['environment'] = kind(
    **{field.name: section.pop(field.name) for field in common}
  )
  tree['agent'] = _AGENTS[names[0]](**tree['agent'])
  tree['replay'] = replay(**tree['replay'])
  for field in dataclasses.fields(Settings):
    section_class: Any = type(field.default)
    if isinstance(tree.get(field.name), dict):
      tree[field.name] = section_class(**tree[field.name])
  settings = Settings(**tree, environment_options=section)
  items.check_json('', to_dict(settings))
  _check_together(settings)
  return settings


def _check_same_kind(
  config: Mapping[str, Any], agent: str, environment: str
) -> None:
  """Refuses a config that was made for another agent or environment."""
  kinds: list[Any] = [EnvironmentConfig, HostEnvironmentConfig]
  kinds += data_settings.DATASETS.values()
  options = (
    *environments.OPTIONS.values(),
    environments.OWN_OPTIONS,
    host_registry.OWN_OPTIONS,
  )
  elsewhere = {
    'agent': _names(*_AGENTS.values()),
    'environment': _names(*kinds).union(*options),
  }
  here = _defaults(agent, environment)
  for section, known in elsewhere.items():
    for key in config[section]:
      if key not in here[section] and key in known:
        raise errors.UserError(
          f'the config is not made for {config[section]["name"]!r}: it has '
          f'{section}.{key}, of another {section}; '
          f'default_config({agent!r}, {environment!r}) makes one'
        )


def _names(*kinds: Any) -> set[str]:
  return {field.name for kind in kinds for field in dataclasses.fields(kind)}


def _plain(config: Mapping[str, Any]) -> Mapping[str, Any]:
  """A config without the types of `ml_collections`."""
  if not isinstance(config, ml_collections.ConfigDict):
    return config
  _check_placeholders(config)
  return config.to_dict()


def _check_placeholders(
  config: ml_collections.ConfigDict, path: str = ''
) -> None:
  for key in config:
    try:
      value = config[key]
    except ml_collections.config_dict.RequiredValueError:
      raise errors.UserError(
        f'config.{path}{key} is a placeholder without a value'
      ) from None
    if isinstance(value, ml_collections.ConfigDict):
      _check_placeholders(value, f'{path}{key}.')


def to_dict(settings: Settings) -> dict[str, Any]:
  """The config from which `resolve` makes these settings, also through JSON."""
  tree = dataclasses.asdict(settings)
  section = tree['environment']
  section.update(tree.pop('environment_options'))
  if 'arguments' in section:
    section['arguments'] = arguments.to_json(section['arguments'])
  return tree


def setting_limits(agent: str, environment: str) -> dict[str, fields.Limits]:
  """Ranges and choices of every setting of a config, by dotted path.

  Raises:
    UserError: there is no agent or environment of that name.
  """
  kind, replay = _data(agent, environment)
  sections = {
    field.name: type(field.default)
    for field in dataclasses.fields(Settings)
    if dataclasses.is_dataclass(field.default)
  } | {'': Settings, 'agent': _AGENTS[agent], 'replay': replay}
  # An option of an environment has the limits of the common setting of that
  # name.
  found = fields.limits(sections | {'environment': EnvironmentConfig})
  found |= fields.limits({'environment': kind})
  own: Any = _ITEMS if import_paths.is_on_device(environment) else ()
  if host_registry.is_host(environment):
    own = host_registry.options(environment)
  for option in own:
    found[f'environment.{option}'] = _option_limits(option)
  return found


def _option_limits(option: str) -> fields.Limits:
  low, high = host_registry.RANGES.get(option, (None, None))
  return fields.Limits(
    low,
    high,
    host_registry.CHOICES.get(option, ()),
    _ITEMS.get(option),
  )


def _check(
  value: Any, default: Any, path: str, limits: Mapping[str, fields.Limits]
) -> Any:
  """Converts `value` to the types of `default`; errors name the path."""
  if isinstance(default, dict):
    if not isinstance(value, Mapping):
      raise errors.UserError(f'config.{path} must be a section of keys')
    prefix = f'{path}.' if path else ''
    for key in value:
      if key not in default:
        raise errors.UserError(
          errors.nearest(f'config key in {path or "config"}', key, default)
        )
    # A key that a run of an earlier version lacks had no effect there.
    return {
      key: _check(
        value.get(key, default[key]), default[key], f'{prefix}{key}', limits
      )
      for key in default
    }
  if path == arguments.PATH:
    return arguments.resolve(value)
  value = _converted(value, default, path)
  limits.get(path, fields.Limits()).check(path, value)
  if type(value) in (int, float) and not items.fits(value):
    kind = 'whole' if type(value) is int else 'finite'
    raise errors.UserError(
      f'config.{path} must be a {kind} number of 32 bits: {errors.shown(value)}'
    )
  return value


def _converted(value: Any, default: Any, path: str) -> Any:
  """`value` as the type of `default`, without loss."""
  if isinstance(default, tuple):
    if not isinstance(value, (tuple, list)):
      raise errors.UserError(
        f'config.{path} must be a tuple: {errors.shown(value)}'
      )
    return tuple(tuple(v) if isinstance(v, (tuple, list)) else v for v in value)
  kind = type(default)
  # Numbers of other types, such as numpy's, are taken; True is no number.
  if not isinstance(value, bool):
    if kind is int and isinstance(value, numbers.Integral):
      value = int(value)
    if kind is float and isinstance(value, numbers.Real):
      value = _float(value)
  if type(value) is not kind:
    raise errors.UserError(
      f'config.{path} must be of type {kind.__name__}: {errors.shown(value)}'
    )
  return value


def _float(value: numbers.Real) -> float:
  try:
    return float(value)
  except OverflowError:  # A whole number of more than 300 digits.
    return math.inf


def _check_together(settings: Settings) -> None:
  """Checks keys that depend on one another."""
  _check_optimizer(settings)
  _check_agent(settings)
  env, replay = settings.environment, settings.replay
  options = settings.environment_options
  if isinstance(env, (EnvironmentConfig, HostEnvironmentConfig)) and isinstance(
    replay, data_settings.ReplayConfig
  ):
    _check_replay(env, replay, options, settings.segment_steps)
    if isinstance(env, EnvironmentConfig):
      _check_tasks(env, options)
    else:
      _check_host_tasks(env, replay, options)


def _check_optimizer(settings: Settings) -> None:
  optimizer, batch_size = settings.optimizer, settings.replay.batch_size
  if batch_size % optimizer.microbatches:
    raise errors.UserError(
      f'config.replay.batch_size ({batch_size}) must be a multiple '
      f'of optimizer.microbatches ({optimizer.microbatches})'
    )
  for name in ('b1', 'b2'):
    if getattr(optimizer, name) == 1:  # Its bias could not be corrected.
      raise errors.UserError(f'config.optimizer.{name} must be below 1: 1.0')


def _check_agent(settings: Settings) -> None:
  agent = settings.agent
  if isinstance(agent, SACConfig) and agent.log_std_min >= agent.log_std_max:
    raise errors.UserError(
      f'config.agent.log_std_min ({agent.log_std_min}) must be below '
      f'log_std_max ({agent.log_std_max})'
    )


def _check_replay(
  env: EnvironmentConfig | HostEnvironmentConfig,
  replay: data_settings.ReplayConfig,
  options: Mapping[str, Any],
  segment_steps: int,
) -> None:
  length = 'switch_every_steps'
  for label, steps in (
    (f'environment.{length}', getattr(env, length, options.get(length, 0))),
    ('segment_steps', segment_steps),
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


def _check_tasks(env: EnvironmentConfig, options: Mapping[str, Any]) -> None:
  environments.check_vary(env.name, env.vary)
  if 'games' in options:
    environments.check_games(options['games'])
  changes = env.permute != 'none' or env.permute_actions or bool(env.vary)
  is_sequence = env.name in environments.SEQUENCES
  if (changes or is_sequence) != bool(env.switch_every_steps):
    what = (
      f'{env.name} is a sequence of games'
      if is_sequence
      else f'permute is {env.permute!r}, permute_actions is '
      f'{env.permute_actions} and vary is {env.vary!r}'
    )
    raise errors.UserError(
      'config.environment.switch_every_steps is '
      f'{env.switch_every_steps}, but {what}: a sequence of tasks needs both '
      'something that changes and a length'
    )
  if env.gradual:
    if not changes:
      raise errors.UserError(
        'config.environment.gradual is True, but nothing changes gradually: '
        'set permute, permute_actions or vary, and switch_every_steps'
      )
    environments.check_gradual(env.name, env.max_episode_steps)


def _check_host_tasks(
  env: HostEnvironmentConfig,
  replay: data_settings.ReplayConfig,
  options: Mapping[str, Any],
) -> None:
  if env.name == host_registry.SEQUENCE:
    host_registry.check_tasks(options['tasks'])
  elif replay.clear_on_switch:
    raise errors.UserError(
      f'config.replay.clear_on_switch is True, but {env.name} is a single '
      f'task: take False, or {host_registry.SEQUENCE}'
    )
