"""Environments by name. Importing this imports neither jax nor numpy.

`NAMES` and `OPTIONS` list all environments, so that a command line can check
names at once. `make` builds environments on the device and imports what it
needs; `host_registry.make` builds those on the host.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from plasticity_rl import errors
from plasticity_rl.environments import host_registry
from plasticity_rl.environments import import_paths

if TYPE_CHECKING:
  from plasticity_rl.environments import base


class _Entry(NamedTuple):
  """Where an environment is made.

  Attributes:
    module: in this package; its `make` is called.
    arguments: the first arguments of `make`.
    options: further options of `make`, with their defaults.
    time_limit: default of `max_episode_steps`, where episodes need one to end.
    physics: constants that can vary, in the order of the module's `Physics`.
  """

  module: str
  arguments: tuple[Any, ...] = ()
  options: Mapping[str, Any] = MappingProxyType({})
  time_limit: int = 0
  physics: tuple[str, ...] = ()


def _minatar(game: str) -> _Entry:
  return _Entry('minatar', (game,), {'sticky_action_prob': 0.1})


def _swingup(sparse: bool) -> _Entry:
  # The suite's limit of 1000 frames belongs to the task.
  return _Entry(
    'cartpole_swingup',
    (sparse,),
    {'action_repeat': 1},
    physics=('gravity', 'length', 'mass', 'cart_mass', 'friction'),
  )


def _mountain_car(continuous: bool, time_limit: int) -> _Entry:
  return _Entry(
    'mountain_car',
    (continuous,),
    time_limit=time_limit,
    physics=('gravity', 'force'),
  )


# Time limits of control problems are Gymnasium's.
_ENTRIES: Mapping[str, _Entry] = {
  'acrobot': _Entry(
    'acrobot', time_limit=500, physics=('gravity', 'length', 'mass')
  ),
  'cartpole': _Entry(
    'cartpole',
    time_limit=500,
    physics=('gravity', 'length', 'mass', 'cart_mass'),
  ),
  'cartpole_swingup': _swingup(False),
  'cartpole_swingup_sparse': _swingup(True),
  'catch': _Entry('catch', options={'rows': 10, 'columns': 5}),
  'minatar_asterix': _minatar('asterix'),
  'minatar_breakout': _minatar('breakout'),
  'minatar_freeway': _minatar('freeway'),
  'minatar_seaquest': _minatar('seaquest'),
  'minatar_space_invaders': _minatar('space_invaders'),
  'minatar_sequence': _Entry(
    'minatar_sequence',
    options={
      'games': ('space_invaders', 'asterix', 'seaquest'),
      'sticky_action_prob': 0.1,
    },
  ),
  'mountain_car': _mountain_car(False, 200),
  'mountain_car_continuous': _mountain_car(True, 999),
  'pendulum': _Entry(
    'pendulum', time_limit=200, physics=('gravity', 'length', 'mass')
  ),
  'pendulum_pixels': _Entry(
    'pendulum_pixels',
    options={'size': 20, 'stack_frames': 3},
    time_limit=200,
    physics=('gravity', 'length', 'mass'),
  ),
}

# Options of every environment on the device. See `continual`, `varying` and
# `time_limit`; a limit of zero steps means no limit.
COMMON: Mapping[str, Any] = MappingProxyType(
  {
    'permute': 'none',
    'permute_actions': False,
    'vary': (),
    'vary_factor': 2.0,
    'max_episode_steps': 0,
  }
)

# Sequences of tasks by themselves, without permutations or changing physics.
SEQUENCES: tuple[str, ...] = ('minatar_sequence',)

DEVICE_NAMES: tuple[str, ...] = tuple(_ENTRIES)
NAMES: tuple[str, ...] = DEVICE_NAMES + host_registry.NAMES

# Shown in messages, where a list of all names would be too long to read.
_FAMILIES = (
  *(name for name in DEVICE_NAMES if _ENTRIES[name].module != 'minatar'),
  'minatar_GAME (5 games)',
)

# The options of each name with their defaults, the common ones last.
OPTIONS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
  {
    name: MappingProxyType(
      {**entry.options, **COMMON, 'max_episode_steps': entry.time_limit}
    )
    for name, entry in _ENTRIES.items()
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
      listed=(*_FAMILIES, *host_registry.FAMILIES),
    )
  )


def _entry(name: str) -> _Entry:
  if import_paths.is_on_device(name):
    return _Entry('custom_jax', (name,))
  return _ENTRIES[name]


def physics(name: str) -> tuple[str, ...]:
  """The constants of an environment that can vary, for example 'gravity'.

  Args:
    name: one of `DEVICE_NAMES`, or the import path of one in JAX.
  """
  return _entry(name).physics


def check_vary(name: str, vary: Sequence[str]) -> None:
  """Refuses constants that an environment on the device does not have.

  Args:
    name: one of `DEVICE_NAMES`, or the import path of one in JAX.
    vary: names of the constants that are to vary.

  Raises:
    UserError: the environment has no constants, has none of that name, or one
      is named twice.
  """
  constants = physics(name)
  if vary and not constants:
    able = ', '.join(n for n, entry in _ENTRIES.items() if entry.physics)
    raise errors.UserError(
      f'vary: {name} has no physics that could vary; these have: {able}'
    )
  for constant in vary:
    if constant not in constants:
      raise errors.UserError(
        errors.nearest(f'constant of {name} in vary', constant, constants)
      )
    if list(vary).count(constant) > 1:
      raise errors.UserError(f'vary: {constant!r} is named twice')


def check_games(games: Sequence[str]) -> None:
  """Refuses a sequence of games of MinAtar that is not one.

  Raises:
    UserError: a game is unknown, or there are fewer than two.
  """
  prefix = 'minatar_'
  known = [
    name.removeprefix(prefix)
    for name, entry in _ENTRIES.items()
    if entry.module == 'minatar'
  ]
  for game in games:
    if game not in known:
      raise errors.UserError(
        errors.nearest('game of minatar_sequence', game, known)
      )
  if len(games) < 2:
    raise errors.UserError(
      f'games of minatar_sequence must be two or more, not {tuple(games)}'
    )


def check_gradual(name: str, max_episode_steps: int) -> None:
  """Refuses gradual tasks where episodes might not end, which keep their task.

  Raises:
    UserError: the environment has no limit on its episodes but needs one.
  """
  limit = _entry(name).time_limit
  if limit and not max_episode_steps:
    raise errors.UserError(
      f'max_episode_steps of {name} is 0: a gradual change needs episodes that '
      f'end, since each keeps its task; such as {limit}'
    )


def make(
  name: str, *, gradual_steps: int = 0, **options: Any
) -> base.Environment:
  """Builds an environment on the device.

  Args:
    name: one of `DEVICE_NAMES`, or the import path of one in JAX.
    gradual_steps: steps of the environment in which a task turns into the next
      one; 0 for the new task at once.
    **options: any of `options(name)`; the others take their defaults. The time
      limit is applied first, the permutations last.

  Returns:
    The environment, with a `switch` if it is a sequence, or if anything is
    permuted or varies.

  Raises:
    UserError: a name or an option is not valid, or pgx is not installed.
  """
  own = import_paths.is_on_device(name)
  if name not in _ENTRIES and not own:
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

  check_vary(name, common['vary'])
  if 'games' in settings:
    check_games(settings['games'])
  if gradual_steps:
    check_gradual(name, common['max_episode_steps'])

  entry = _entry(name)
  env = _module(entry.module).make(*entry.arguments, **settings)
  if common['vary']:
    env = _module('varying').vary(
      env, common['vary'], common['vary_factor'], gradual_steps
    )
  elif entry.physics:
    env = _module('control').environment(env)
  if common['max_episode_steps']:
    env = _module('time_limit').time_limit(env, common['max_episode_steps'])
  if common['permute'] != 'none' or common['permute_actions']:
    env = _module('continual').continual(
      env, common['permute'], common['permute_actions'], gradual_steps
    )
  return env


def _module(name: str) -> Any:
  return importlib.import_module(f'plasticity_rl.environments.{name}')
