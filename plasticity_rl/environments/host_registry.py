"""Environments on the host by name. Imports nothing heavy.

`NAMES` and `OPTIONS` list the environments that come with this package.
`package.module:callable` names a user's environment, with `OWN_OPTIONS`.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from plasticity_rl import errors
from plasticity_rl.environments import atari_games
from plasticity_rl.environments import import_paths

if TYPE_CHECKING:
  from plasticity_rl.environments import host

# Tasks of the suite, by domain. Not `lqr`, whose model is drawn at random when
# it is made and whose episodes need not end.
_SUITE = {
  'acrobot': ('swingup', 'swingup_sparse'),
  'ball_in_cup': ('catch',),
  'cartpole': (
    'balance',
    'balance_sparse',
    'swingup',
    'swingup_sparse',
    'two_poles',
    'three_poles',
  ),
  'cheetah': ('run',),
  'dog': ('stand', 'walk', 'trot', 'run', 'fetch'),
  'finger': ('spin', 'turn_easy', 'turn_hard'),
  'fish': ('upright', 'swim'),
  'hopper': ('stand', 'hop'),
  'humanoid': ('stand', 'walk', 'run', 'run_pure_state'),
  'humanoid_CMU': ('stand', 'walk', 'run'),
  'manipulator': ('bring_ball', 'bring_peg', 'insert_ball', 'insert_peg'),
  'pendulum': ('swingup',),
  'point_mass': ('easy', 'hard'),
  'quadruped': ('walk', 'run', 'escape', 'fetch'),
  'reacher': ('easy', 'hard'),
  'stacker': ('stack_2', 'stack_4'),
  'swimmer': ('swimmer6', 'swimmer15'),
  'walker': ('stand', 'walk', 'run'),
}
# 'humanoid_cmu_run' -> ('humanoid_CMU', 'run'); names are of lower case.
SUITE_TASKS: Mapping[str, tuple[str, str]] = MappingProxyType(
  {
    f'{domain}_{task}'.lower(): (domain, task)
    for domain, tasks in _SUITE.items()
    for task in tasks
  }
)

# Action repeats for tasks from images, from the PlaNet paper; elsewhere 2.
_PLANET_ACTION_REPEAT = {
  'ball_in_cup_catch': 4,
  'cartpole_swingup': 8,
  'cheetah_run': 4,
  'finger_spin': 2,
  'reacher_easy': 4,
  'walker_walk': 2,
}
_DEFAULT_PIXEL_REPEAT = 2

_ATARI = {
  'sticky_action_prob': 0.0,
  'full_action_set': False,
  'max_noops': 30,
  'zero_discount_on_life_loss': True,
  'clip_rewards': True,
  'stack_frames': 4,
  'action_repeat': 4,
  'max_episode_steps': 27_000,  # 108,000 frames.
}
_DMC = {'action_repeat': 1, 'max_episode_steps': 0}
# Tasks of one body in turn; see `task_sequence`.
SEQUENCE = 'dmc_sequence'
_DMC_SEQUENCE = {
  'tasks': ('walker_stand', 'walker_walk', 'walker_run'),
  'switch_every_steps': 100_000,
  **_DMC,
}


def _pixels(name: str) -> dict[str, Any]:
  return {
    'size': 84,
    'stack_frames': 3,
    # As in DrQ: the camera that sees the quadruped from its side.
    'camera': 2 if name.startswith('quadruped') else 0,
    'fast_rendering': 'auto',
    'action_repeat': _PLANET_ACTION_REPEAT.get(name, _DEFAULT_PIXEL_REPEAT),
    'max_episode_steps': 0,
  }


# The options of each name with their defaults.
OPTIONS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
  {
    name: MappingProxyType(options)
    for name, options in (
      *((f'atari_{game}', _ATARI) for game in atari_games.SCORES),
      *((f'dmc_{task}', _DMC) for task in SUITE_TASKS),
      (SEQUENCE, _DMC_SEQUENCE),
      *((f'dmc_pixels_{task}', _pixels(task)) for task in SUITE_TASKS),
    )
  }
)
NAMES: tuple[str, ...] = tuple(OPTIONS)

# The options of a user's environment.
OWN_OPTIONS: Mapping[str, Any] = MappingProxyType(
  {
    'arguments': (),
    'return_range': (0.0, 1.0),
    'stack_frames': 1,
    'action_repeat': 1,
    'max_episode_steps': 0,
  }
)

# Shown in messages, where a list of all names would be too long to read.
FAMILIES = (
  'atari_GAME (57 games)',
  'dmc_DOMAIN_TASK',
  SEQUENCE,
  'dmc_pixels_DOMAIN_TASK',
  import_paths.FAMILY,
)

# Inclusive; None for none.
RANGES: Mapping[str, tuple[Any, Any]] = MappingProxyType(
  {
    'sticky_action_prob': (0, 1),
    'max_noops': (1, None),
    'stack_frames': (1, None),
    'action_repeat': (1, None),
    'max_episode_steps': (0, None),
    'switch_every_steps': (1, None),
    'size': (1, None),
    'camera': (-1, None),
  }
)
CHOICES: Mapping[str, tuple[str, ...]] = MappingProxyType(
  {'fast_rendering': ('auto', 'on', 'off')}
)


def is_host(name: str) -> bool:
  """Whether the environment of that name runs on the host."""
  return name in OPTIONS or is_own(name)


def is_own(name: str) -> bool:
  """Whether the name is an import path, not of an environment in JAX."""
  return import_paths.is_on_host(name)


def options(name: str) -> Mapping[str, Any]:
  """The options of an environment on the host, with their defaults.

  Raises:
    UserError: there is no environment of that name.
  """
  if is_own(name):
    return OWN_OPTIONS
  if name not in OPTIONS:
    raise errors.UserError(
      errors.nearest('environment', name, NAMES, listed=FAMILIES)
    )
  return OPTIONS[name]


def check_tasks(tasks: Sequence[str]) -> None:
  """Refuses a sequence of tasks of the suite that is not one of one body.

  Raises:
    UserError: a task is unknown, there are fewer than two, or their domains
      differ.
  """
  for task in tasks:
    if task not in SUITE_TASKS:
      raise errors.UserError(
        errors.nearest(
          f'task of {SEQUENCE}',
          task,
          SUITE_TASKS,
          listed=('DOMAIN_TASK of the suite, such as walker_walk',),
        )
      )
  if len(tasks) < 2:
    raise errors.UserError(
      f'tasks of {SEQUENCE} must be two or more, not {tuple(tasks)}'
    )
  domains = {SUITE_TASKS[task][0]: task for task in reversed(tasks)}
  if len(domains) > 1:
    shown = ', '.join(sorted(domains.values()))
    raise errors.UserError(
      f'tasks of {SEQUENCE} must share a body, but these do not: {shown}'
    )


def make(
  name: str, num_envs: int, *, evaluation: bool, **changed: Any
) -> host.HostEnvironments:
  """Builds environments on the host.

  Args:
    name: one of `NAMES`, or `package.module:callable`.
    num_envs: N, at least 1.
    evaluation: whether the environments are for evaluation, not for learning.
    **changed: any of `options(name)`; the others take their defaults.

  Returns:
    N environments; call `begin` first.

  Raises:
    UserError: a name or an option is not valid.
    MissingDependencyError: a package or library is not installed.
  """
  settings = _checked(name, changed)
  if type(num_envs) is not int or num_envs < 1:
    raise errors.UserError(
      f'num_envs must be a whole number of 1 or more: {num_envs!r}'
    )
  if is_own(name):
    # Those for evaluation are made later, while the run goes on.
    return _module('custom').make(
      name, num_envs, trial=not evaluation, **settings
    )
  if name == SEQUENCE:
    tasks = settings.pop('tasks')
    check_tasks(tasks)
    return _module('dmc').make_sequence(
      [SUITE_TASKS[task] for task in tasks],
      num_envs,
      evaluation=evaluation,
      **settings,
    )
  family, rest = name.split('_', 1)
  if family == 'atari':
    return _module('atari').make(
      rest, num_envs, evaluation=evaluation, **settings
    )
  if rest in SUITE_TASKS:
    return _module('dmc').make(*SUITE_TASKS[rest], num_envs, **settings)
  task = SUITE_TASKS[rest.removeprefix('pixels_')]
  return _module('dmc_pixels').make(*task, num_envs, **settings)


def _module(name: str) -> Any:
  return importlib.import_module(f'plasticity_rl.environments.{name}')


def _checked(name: str, changed: Mapping[str, Any]) -> dict[str, Any]:
  defaults = options(name)
  for option, value in changed.items():
    if option not in defaults:
      raise errors.UserError(
        errors.nearest(f'option of {name}', option, defaults)
      )
    wanted = type(defaults[option])
    if type(value) is not wanted and not (
      wanted is float and type(value) is int
    ):
      raise errors.UserError(
        f'{option} of {name} must be of type {wanted.__name__}: {value!r}'
      )
    low, high = RANGES.get(option, (None, None))
    if (low is not None and not value >= low) or (
      high is not None and not value <= high
    ):
      bounds = f'at least {low}' if high is None else f'{low} to {high}'
      raise errors.UserError(f'{option} of {name} must be {bounds}: {value!r}')
    if option in CHOICES and value not in CHOICES[option]:
      raise errors.UserError(
        errors.nearest(f'{option} of {name}', value, CHOICES[option])
      )
  return {**defaults, **changed}
