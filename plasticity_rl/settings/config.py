"""Turns a config into settings, and checks every key.

`resolve` checks the whole config before anything is computed, and returns
frozen settings. Messages name the dotted path of the wrong key.
"""

import dataclasses
import math
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
from plasticity_rl.settings.agent import SACConfig
from plasticity_rl.settings.data import DatasetConfig
from plasticity_rl.settings.data import DeviceReplayConfig
from plasticity_rl.settings.data import EnvironmentConfig
from plasticity_rl.settings.data import HostEnvironmentConfig
from plasticity_rl.settings.data import HostReplayConfig
from plasticity_rl.settings.experiment import PRIMING_CHUNK
from plasticity_rl.settings.experiment import Settings

_AGENTS = agent_settings.AGENTS


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


def _data(agent: str, environment: str) -> tuple[Any, Any]:
  """The settings classes of the environment and the replay."""
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
  if isinstance(config, ml_collections.ConfigDict):
    config = config.to_dict()
  names = []
  for section in ('agent', 'environment'):
    value = config.get(section)
    if not isinstance(value, Mapping) or 'name' not in value:
      raise errors.UserError(f'the config has no {section}.name')
    names.append(value['name'])
  config = aliases.without_removed_keys(config)
  kind, replay = _data(*names)
  _check_place(config['environment'])
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
  _check_together(settings)
  return settings


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
  return fields.limits(
    sections | {'environment': EnvironmentConfig}
  ) | fields.limits({'environment': kind})


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
  if isinstance(default, tuple):
    if isinstance(value, str) or not isinstance(value, (tuple, list)):
      raise errors.UserError(f'config.{path} must be a tuple: {value!r}')
    return tuple(tuple(v) if isinstance(v, (tuple, list)) else v for v in value)
  if isinstance(default, float) and type(value) is int:
    value = float(value)
  if type(value) is not type(default):
    raise errors.UserError(
      f'config.{path} must be of type {type(default).__name__}: {value!r}'
    )
  limits.get(path, fields.Limits()).check(path, value)
  if isinstance(value, float) and not math.isfinite(value):
    raise errors.UserError(f'config.{path} must be a finite number: {value!r}')
  return value


def _check_place(section: Mapping[str, Any]) -> None:
  """Refuses a config for users' environments that run elsewhere."""
  name = section['name']
  keys = {
    'host': _keys(HostEnvironmentConfig, host_registry.OWN_OPTIONS),
    'device': _keys(EnvironmentConfig, environments.OWN_OPTIONS),
  }
  if import_paths.is_on_device(name):
    here, there, start = 'device', 'host', 'own_jax_environment'
  elif import_paths.is_on_host(name):
    here, there, start = 'host', 'device', 'own_environment'
  else:
    return
  for key in section:
    if key in keys[there] - keys[here]:
      raise errors.UserError(
        f'config.environment.name {name!r} runs on the {here}, but '
        f'environment.{key} is for environments on the {there}: start from '
        f'configs/{start}.py'
      )


def _keys(kind: type, options: Mapping[str, Any]) -> set[str]:
  return {*(field.name for field in dataclasses.fields(kind)), *options}


def _check_together(settings: Settings) -> None:
  """Checks keys that depend on one another."""
  _check_network(settings)
  _check_optimizer(settings)
  _check_agent(settings)
  env, replay = settings.environment, settings.replay
  if isinstance(env, (EnvironmentConfig, HostEnvironmentConfig)) and isinstance(
    replay, data_settings.ReplayConfig
  ):
    _check_replay(env, replay, settings.segment_steps)
  if isinstance(env, EnvironmentConfig):
    _check_tasks(env)


def _check_network(settings: Settings) -> None:
  for name, length in (('hidden', 1), ('convolutions', 3)):
    for item in getattr(settings.network, name):
      sizes = (item,) if length == 1 else item
      if not (
        isinstance(sizes, tuple)
        and len(sizes) == length
        and all(type(size) is int and size > 0 for size in sizes)
      ):
        raise errors.UserError(
          f'config.network.{name} must hold positive whole numbers'
          f'{", (filters, kernel, stride) each" * (length == 3)}: {item!r}'
        )


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
  segment_steps: int,
) -> None:
  for label, steps in (
    (
      'environment.switch_every_steps',
      getattr(env, 'switch_every_steps', 0),
    ),
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


def _check_tasks(env: EnvironmentConfig) -> None:
  switches = env.permute != 'none' or env.permute_actions
  if switches != bool(env.switch_every_steps):
    raise errors.UserError(
      'config.environment.switch_every_steps is '
      f'{env.switch_every_steps}, but permute is {env.permute!r} and '
      f'permute_actions is {env.permute_actions}: a sequence of tasks '
      'needs both a permutation and a length'
    )
