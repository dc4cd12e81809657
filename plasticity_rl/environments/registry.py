"""Environments by name. Importing this imports neither jax nor numpy.

`NAMES` and `OPTIONS` list all environments, so that a command line can check
names at once. `make` builds environments on the device and imports what it
needs; `host_registry.make` builds those on the host.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from plasticity_rl import errors
from plasticity_rl.environments import host_registry
from plasticity_rl.environments import import_paths

if TYPE_CHECKING:
  from plasticity_rl.environments import base

_GAMES: Mapping[str, Mapping[str, Any]] = {
  'catch': {'rows': 10, 'columns': 5},
  'minatar_asterix': {'sticky_action_prob': 0.1},
  'minatar_breakout': {'sticky_action_prob': 0.1},
  'minatar_freeway': {'sticky_action_prob': 0.1},
  'minatar_seaquest': {'sticky_action_prob': 0.1},
  'minatar_space_invaders': {'sticky_action_prob': 0.1},
  'pendulum': {},
}
# Steps after which Gymnasium truncates an episode.
_TIME_LIMITS = {'pendulum': 200}

# Options of every game on the device. See `continual` and `time_limit`; a limit
# of zero steps means no limit.
COMMON: Mapping[str, Any] = MappingProxyType(
  {'permute': 'none', 'permute_actions': False, 'max_episode_steps': 0}
)

DEVICE_NAMES: tuple[str, ...] = tuple(_GAMES)
NAMES: tuple[str, ...] = DEVICE_NAMES + host_registry.NAMES

# The options of each name with their defaults, the common ones last.
OPTIONS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
  {
    name: MappingProxyType(
      {**options, **COMMON, 'max_episode_steps': _TIME_LIMITS.get(name, 0)}
    )
    for name, options in _GAMES.items()
  }
  | dict(host_registry.OPTIONS)
)


# The options of a user's environment in JAX.
OWN_OPTIONS: Mapping[str, Any] = MappingProxyType(
  {'arguments': (), 'parameters': (), 'return_range': (0.0, 1.0), **COMMON}
)


def options(name: str) -> Mapping[str, Any]:
  """The options of any environment, with their defaults.

  Args:
    name: one of `NAMES`, or an import path.

  Raises:
    UserError: there is no such environment; the message names similar ones.
  """
  if name in OPTIONS:
    return OPTIONS[name]
  if host_registry.is_own(name):
    return host_registry.OWN_OPTIONS
  if import_paths.is_on_device(name):
    return OWN_OPTIONS
  raise errors.UserError(
    errors.nearest(
      'environment',
      name,
      NAMES,
      listed=(
        *DEVICE_NAMES,
        *host_registry.FAMILIES,
        import_paths.DEVICE_FAMILY,
      ),
    )
  )


def make(name: str, **options: Any) -> base.Environment:
  """Builds an environment on the device.

  Args:
    name: one of `DEVICE_NAMES`, or the import path of one in JAX.
    **options: any of `options(name)`; the others take their defaults. The time
      limit is applied first, the permutations last.

  Returns:
    The environment, with a `switch` if anything is permuted.

  Raises:
    UserError: a name or an option is not valid, or pgx is not installed.
  """
  own = import_paths.is_on_device(name)
  if name not in _GAMES and not own:
    raise errors.UserError(
      errors.nearest('environment on device', name, DEVICE_NAMES)
    )
  defaults = OWN_OPTIONS if own else OPTIONS[name]
  for option in options:
    if option not in defaults:
      raise errors.UserError(
        errors.nearest(f'option of {name}', option, defaults)
      )
  settings = {**defaults, **options}
  common = {option: settings.pop(option) for option in COMMON}

  module, *game = name.split('_', 1) if 'minatar' in name else [name]
  if own:
    module, game = 'custom_jax', [name]
  module = importlib.import_module(f'plasticity_rl.environments.{module}')
  env = module.make(*game, **settings)
  if common['max_episode_steps']:
    from plasticity_rl.environments import time_limit

    env = time_limit.time_limit(env, common['max_episode_steps'])
  if common['permute'] != 'none' or common['permute_actions']:
    from plasticity_rl.environments import continual

    env = continual.continual(env, common['permute'], common['permute_actions'])
  return env
