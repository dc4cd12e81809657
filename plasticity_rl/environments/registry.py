"""Environments by name. Importing this imports neither jax nor numpy.

`NAMES` and `OPTIONS` are a plain table, so that a command line can list and
check names in no time; `make` imports what it needs.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from plasticity_rl import errors

if TYPE_CHECKING:
  from plasticity_rl.environments import base

_GAMES: Mapping[str, Mapping[str, Any]] = {
  'catch': {'rows': 10, 'columns': 5},
  'minatar_asterix': {'sticky_action_prob': 0.1},
  'minatar_breakout': {'sticky_action_prob': 0.1},
  'minatar_freeway': {'sticky_action_prob': 0.1},
  'minatar_seaquest': {'sticky_action_prob': 0.1},
  'minatar_space_invaders': {'sticky_action_prob': 0.1},
}

# What `make` applies to any game. See `continual` and `time_limit`; a limit of
# zero steps is none.
COMMON: Mapping[str, Any] = MappingProxyType(
  {'permute': 'none', 'permute_actions': False, 'max_episode_steps': 0}
)

NAMES: tuple[str, ...] = tuple(_GAMES)

# The options of each name with their defaults, the common ones last.
OPTIONS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
  {
    name: MappingProxyType({**options, **COMMON})
    for name, options in _GAMES.items()
  }
)


def make(name: str, **options: Any) -> base.Environment:
  """Builds an environment.

  Args:
    name: one of `NAMES`.
    **options: any of `OPTIONS[name]`; the others take their defaults. The time
      limit is applied first, the permutations last.

  Returns:
    The environment, with a `switch` if anything is permuted.
  """
  if name not in OPTIONS:
    raise errors.UserError(errors.nearest('environment', name, NAMES))
  for option in options:
    if option not in OPTIONS[name]:
      raise errors.UserError(
        errors.nearest(f'option of {name}', option, OPTIONS[name])
      )
  settings = {**OPTIONS[name], **options}
  common = {option: settings.pop(option) for option in COMMON}

  module, *game = name.split('_', 1)
  module = importlib.import_module(f'plasticity_rl.environments.{module}')
  env = module.make(*game, **settings)
  if common['max_episode_steps']:
    from plasticity_rl.environments import time_limit

    env = time_limit.time_limit(env, common['max_episode_steps'])
  if common['permute'] != 'none' or common['permute_actions']:
    from plasticity_rl.environments import continual

    env = continual.continual(env, common['permute'], common['permute_actions'])
  return env
