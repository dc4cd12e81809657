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
import numpy as np

from plasticity_rl import errors
from plasticity_rl.environments.custom_spaces import Adapter
from plasticity_rl.environments.custom_spaces import dm_env_adapter
from plasticity_rl.environments.custom_spaces import gymnasium_adapter
from plasticity_rl.environments.vector import FrameStack
from plasticity_rl.environments.vector import Outcome
from plasticity_rl.environments.vector import SyncVectorEnv
from plasticity_rl.errors import MissingDependencyError
from plasticity_rl.errors import UserError

# For an environment that is built only to inspect it.
_ANY_SEED = 0
# The key of a state that is one array.
_ARRAY = '_array'


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


class _SingleEnv:
  """The common part of the adapters of both libraries."""

  def __init__(self, env: Any, adapter: Adapter, rebuild: Callable | None):
    """Wraps an environment.

    Args:
      env: the user's.
      adapter: converts observations and actions.
      rebuild: `(seed) -> environment`, if the user's callable takes a seed:
        what it draws when it is built then follows from the run's seed too.
    """
    self._env = env
    self._adapter = adapter
    self._rebuild = rebuild
    self._observation: Any = None
    self.spaces = adapter.spaces
    self.can_copy = all(
      callable(getattr(env, name, None)) for name in ('get_state', 'set_state')
    )

  def _build(self, seed: int) -> None:
    """Builds the environment again, if its callable takes a seed."""
    if self._rebuild:
      self._env.close()
      self._env = self._rebuild(seed)

  def observe(self) -> np.ndarray:
    return self._adapter.observation(self._observation)

  def get_state(self) -> dict[str, np.ndarray]:
    state = self._env.get_state()
    if not isinstance(state, dict):
      state = {_ARRAY: state}
    return {key: np.array(value) for key, value in state.items()}

  def set_state(self, state: dict[str, np.ndarray]) -> None:
    self._env.set_state(state.get(_ARRAY, state))

  def close(self) -> None:
    self._env.close()


class GymnasiumAdapter(_SingleEnv):
  """A `gymnasium.Env`: `terminated` gives a discount of 0, `truncated` 1."""

  def begin(self, seed: int) -> None:
    self._build(seed)
    self._observation, _ = self._env.reset(seed=seed)

  def reset(self) -> None:
    self._observation, _ = self._env.reset()

  def advance(self, action: np.ndarray) -> Outcome:
    self._observation, reward, terminated, truncated, _ = self._env.step(
      self._adapter.action(action)
    )
    return Outcome(
      float(reward), float(not terminated), bool(terminated or truncated)
    )


class DmEnvAdapter(_SingleEnv):
  """A `dm_env.Environment`; to seed it, it is built again."""

  def begin(self, seed: int) -> None:
    self._build(seed)
    self.reset()

  def reset(self) -> None:
    self._observation = self._env.reset().observation

  def advance(self, action: np.ndarray) -> Outcome:
    timestep = self._env.step(self._adapter.action(action))
    self._observation = timestep.observation
    return Outcome(
      float(timestep.reward), float(timestep.discount), timestep.last()
    )


def _single_env(
  name: str, factory: Callable[..., Any], arguments: tuple
) -> _SingleEnv:
  takes_seed = _has_parameter(factory, 'seed')

  def build(seed: int) -> Any:
    return factory(*arguments, **({'seed': seed} if takes_seed else {}))

  _check_arguments(name, factory, arguments, takes_seed)
  try:
    env = build(_ANY_SEED)
  except Exception as error:
    # Such as an unknown id. Other errors of their code keep their traceback.
    if not _is_gymnasiums(error):
      raise
    raise UserError(
      f'environment {name!r}: {errors.one_line(error)}'
    ) from error
  rebuild = build if takes_seed else None
  if isinstance(env, dm_env.Environment):
    return DmEnvAdapter(env, dm_env_adapter(name, env), rebuild)
  gymnasium = sys.modules.get('gymnasium')  # Imported if env is of gymnasium.
  if gymnasium and isinstance(env, gymnasium.Env):
    return GymnasiumAdapter(env, gymnasium_adapter(name, env), rebuild)
  raise UserError(
    f'environment {name!r} makes a {type(env).__name__}, which is neither a '
    'dm_env.Environment nor a gymnasium.Env'
  )


def _check_arguments(
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


def make(
  name: str,
  num_envs: int,
  *,
  arguments: tuple,
  return_range: tuple[float, float],
  stack_frames: int,
  action_repeat: int,
  max_episode_steps: int,
) -> SyncVectorEnv:
  """Builds environments of the user.

  Args:
    name: `package.module:callable`.
    num_envs: N; the callable is called N times.
    arguments: positional arguments of the callable. If it has a parameter
      `seed`, it also gets a seed.
    return_range: lowest and highest return to expect of an episode.
    stack_frames: observations in a stack, on the last axis, newest last.
    action_repeat: environment steps for each decision.
    max_episode_steps: decisions after which an episode is truncated, unless the
      environment ended it earlier; 0 for no limit.

  Returns:
    The environments. They can be copied if they have methods `get_state` and
    `set_state`.

  Raises:
    MissingDependencyError: there is no such module.
    UserError: the module has no such callable, the callable does not take
      `arguments`, its environment's spaces are not supported, or
      `return_range` is not (lowest, highest).
  """
  numbers = all(
    isinstance(x, (int, float)) and math.isfinite(x) for x in return_range
  )
  if not (numbers and len(return_range) == 2) or not (
    return_range[0] < return_range[1]
  ):
    raise UserError(
      f'environment {name!r}: return_range must be (lowest, highest), not '
      f'{return_range}'
    )
  factory = load(name)
  envs = [_single_env(name, factory, arguments) for _ in range(num_envs)]
  spaces = envs[0].spaces
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
