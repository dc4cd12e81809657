"""A user's own environment, by import path.

`package.module:callable` names a callable that returns a `dm_env.Environment`
or a `gymnasium.Env`. The module may also be in the current directory. See
docs/environments.md for the rules.
"""

import dataclasses
import importlib
import inspect
import math
import os
import sys
from collections.abc import Callable
from typing import Any

import dm_env

from plasticity_rl import errors
from plasticity_rl.environments import custom_trial
from plasticity_rl.environments import import_paths
from plasticity_rl.environments.custom_adapters import DmEnvAdapter
from plasticity_rl.environments.custom_adapters import GymnasiumAdapter
from plasticity_rl.environments.custom_adapters import SingleAdapter
from plasticity_rl.environments.custom_spaces import dm_env_adapter
from plasticity_rl.environments.custom_spaces import gymnasium_adapter
from plasticity_rl.environments.vector import FrameStack
from plasticity_rl.environments.vector import SyncVectorEnv
from plasticity_rl.errors import MissingDependencyError
from plasticity_rl.errors import UserError

# For an environment that is built only to inspect it.
_ANY_SEED = 0


def load(name: str) -> Callable[..., Any]:
  """The callable that `package.module:callable` names.

  Args:
    name: the import path; dots after the colon lead to nested attributes.

  Returns:
    The callable.

  Raises:
    MissingDependencyError: there is no such module.
    UserError: the module has no such callable.
  """
  module_name, _, path = name.partition(':')
  if os.getcwd() not in sys.path and '' not in sys.path:
    sys.path.append(os.getcwd())
  try:
    found = importlib.import_module(module_name)
  except ModuleNotFoundError as error:
    # The user's module fails to import another one: show the whole traceback.
    if error.name is None or not f'{module_name}.'.startswith(f'{error.name}.'):
      raise
    raise MissingDependencyError(
      f'environment {name!r}: no module named {error.name!r}, neither '
      f'installed nor in {os.getcwd()}'
    ) from error
  for part in path.split('.'):
    if not hasattr(found, part):
      public = [n for n in dir(found) if n[0] != '_']
      public = [n for n in public if callable(getattr(found, n))]
      raise UserError(
        errors.nearest(f'callable in {module_name}', path, public)
      )
    found = getattr(found, part)
  if not callable(found):
    raise UserError(f'environment {name!r} is not callable')
  return found


def _single_env(
  name: str, factory: Callable[..., Any], arguments: tuple, owned: list[Any]
) -> SingleAdapter:
  """Builds an environment, unlike all of `owned`, to which it is added."""
  takes_seed = _has_parameter(factory, 'seed')

  def build(seed: int) -> Any:
    # An environment may change what it was given.
    given = with_new_containers(arguments)
    return factory(*given, **({'seed': seed} if takes_seed else {}))

  check_arguments(name, factory, arguments, takes_seed)
  try:
    env = build(_ANY_SEED)
  except Exception as error:
    # Such as an unknown id. Other errors of their code keep their traceback.
    if not _is_gymnasiums(error):
      raise
    raise UserError(
      f'environment {name!r}: {errors.one_line(error)}'
    ) from error
  if any(env is other for other in owned):
    raise UserError(
      f'environment {name!r} returned the same object twice: each call must '
      'make an environment of its own'
    )
  owned.append(env)
  rebuild = build if takes_seed else None
  if isinstance(env, dm_env.Environment):
    return DmEnvAdapter(name, env, dm_env_adapter(name, env), rebuild)
  gymnasium = sys.modules.get('gymnasium')  # Imported if env is of gymnasium.
  if gymnasium and isinstance(env, gymnasium.vector.VectorEnv):
    raise UserError(
      f'environment {name!r} makes {type(env).__name__}, which is a '
      'gymnasium.vector.VectorEnv of several environments: name a callable '
      'that makes one, and set config.environment.num_envs'
    )
  if gymnasium and isinstance(env, gymnasium.Env):
    return GymnasiumAdapter(name, env, gymnasium_adapter(name, env), rebuild)
  raise UserError(
    f'environment {name!r} makes a {type(env).__name__}, which is neither a '
    'dm_env.Environment nor a gymnasium.Env; if its methods are pure functions '
    f'of JAX, name it {import_paths.PREFIX + name!r}'
  )


def with_new_containers(value: Any) -> Any:
  """The same value, in which lists, tuples and dicts are new."""
  if type(value) in (list, tuple):
    return type(value)(map(with_new_containers, value))
  if type(value) is dict:
    return {k: with_new_containers(v) for k, v in value.items()}
  return value


def label(name: str, arguments: tuple) -> str:
  """An environment and its arguments in a few words."""
  if not arguments:
    return repr(name)
  return f'{name!r} of {errors.shown(arguments, 80)}'


def check_arguments(
  name: str, factory: Callable, arguments: tuple, takes_seed: bool
) -> None:
  """Refuses arguments that the callable does not take."""
  try:
    signature = inspect.signature(factory)
  except ValueError:  # Some written in C have none.
    return
  try:
    signature.bind(*arguments, **({'seed': _ANY_SEED} if takes_seed else {}))
  except TypeError as error:
    raise UserError(
      f'environment {name!r} does not take config.environment.arguments = '
      f'{arguments}: {error}; it is called as {signature}'
    ) from error


def _is_gymnasiums(error: Exception) -> bool:
  gymnasium = sys.modules.get('gymnasium')
  return gymnasium is not None and isinstance(error, gymnasium.error.Error)


def _has_parameter(function: Callable, name: str) -> bool:
  try:
    parameters = inspect.signature(function).parameters
  except ValueError:  # Some written in C have none.
    return False
  return name in parameters


def check_return_range(name: str, return_range: tuple[float, ...]) -> None:
  """Refuses what is not (lowest, highest).

  Raises:
    UserError: it is not two finite numbers in ascending order.
  """
  numbers = all(
    isinstance(x, (int, float)) and math.isfinite(x) for x in return_range
  )
  if not (numbers and len(return_range) == 2) or not (
    return_range[0] < return_range[1]
  ):
    raise UserError(
      f'environment {name!r}: return_range must be (lowest, highest), two '
      f'finite numbers, not {return_range}'
    )


def make(
  name: str,
  num_envs: int,
  *,
  arguments: tuple,
  return_range: tuple[float, float],
  stack_frames: int,
  action_repeat: int,
  max_episode_steps: int,
  trial: bool = True,
) -> SyncVectorEnv:
  """Builds environments of the user.

  Args:
    name: `package.module:callable`.
    num_envs: N; the callable is called N times.
    arguments: positional arguments of the callable. If it has a parameter
      `seed`, it also gets a seed.
    return_range: lowest and highest return to expect of an episode as it is
      evaluated.
    stack_frames: observations in a stack, on the last axis, newest last.
    action_repeat: environment steps for each decision.
    max_episode_steps: decisions after which an episode is truncated, unless the
      environment ended it earlier; 0 for no limit.
    trial: whether to try the environment first; see `custom_trial`.

  Returns:
    The environments. They can be copied if they have methods `get_state` and
    `set_state`.

  Raises:
    MissingDependencyError: there is no such module.
    UserError: the module has no such callable, the callable does not take
      `arguments`, its environment's spaces are not supported, it does not
      return what they say, it cannot be copied by its methods, or
      `return_range` is not (lowest, highest).
  """
  check_return_range(name, return_range)
  factory = load(name)
  owned: list[Any] = []

  def build() -> SingleAdapter:
    return _single_env(name, factory, arguments, owned)

  if trial:
    custom_trial.check(label(name, arguments), build)
    owned.clear()  # Those are closed; nothing else needs them.
  envs: list[Any] = [build() for _ in range(num_envs)]
  spaces = envs[0].spaces
  for i, env in enumerate(envs):
    if env.spaces != spaces:
      raise UserError(
        f'environment {name!r}: the one numbered {i} has {env.spaces}, but the '
        f'first one {spaces}: all must be alike'
      )
  if stack_frames > 1:
    *before, channels = spaces.observation_shape
    spaces = dataclasses.replace(
      spaces, observation_shape=(*before, stack_frames * channels)
    )
    envs = [FrameStack(env, stack_frames) for env in envs]
  return SyncVectorEnv(
    envs,
    spaces,
    return_range=(float(return_range[0]), float(return_range[1])),
    action_repeat=action_repeat,
    max_episode_steps=max_episode_steps,
  )
