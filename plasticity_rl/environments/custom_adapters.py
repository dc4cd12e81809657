"""One environment of a user as a `SingleEnv`, whatever it returns checked."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import dm_env
import numpy as np

from plasticity_rl.environments import custom_state
from plasticity_rl.environments import custom_values as values
from plasticity_rl.environments.custom_spaces import Adapter
from plasticity_rl.environments.vector import Outcome
from plasticity_rl.errors import EnvironmentFaultError

# The key of a state that is one array, in checkpoints of earlier versions,
# which hold the arrays of a state by their keys.
_ARRAY = '_array'

_GYMNASIUM_RESET = 'a tuple (observation, info)'
_GYMNASIUM_STEP = 'a tuple (observation, reward, terminated, truncated, info)'
_NO_SEED = re.compile("argument:? 'seed'")


class SingleAdapter:
  """The common part of the adapters of both libraries.

  Attributes:
    spaces: see `Spaces`.
    can_copy: whether it has `get_state` and `set_state`.
    notes: what the user may not expect of the conversion of observations.
  """

  def __init__(
    self, name: str, env: Any, adapter: Adapter, rebuild: Callable | None
  ):
    """Wraps an environment.

    Args:
      name: of the environment in the config, for messages.
      env: the user's.
      adapter: converts observations and actions.
      rebuild: `(seed) -> environment`, if the user's callable takes a seed:
        what it draws when it is built then follows from the run's seed too.
    """
    self._env = env
    self.spaces, self.notes = adapter.spaces, adapter.notes
    self.can_copy = all(
      callable(getattr(env, method, None))
      for method in ('get_state', 'set_state')
    )
    self._name = name
    self._adapter = adapter
    self._rebuild = rebuild
    self._observation: Any = None
    self._method = 'reset'  # What returned the observation.

  def _build(self, seed: int) -> None:
    """Builds the environment again, if its callable takes a seed."""
    if self._rebuild:
      self._env.close()
      self._env = self._rebuild(seed)

  def _fault(
    self, method: str, found: str, expected: str
  ) -> EnvironmentFaultError:
    return EnvironmentFaultError(
      f'environment {self._name!r}: {method}() returned {found}; expected '
      f'{expected}'
    )

  def _number(
    self, what: str, value: Any, low: float | None = None, high: float = 1
  ) -> float:
    """A number that `step` returned, from `low` to `high` if there is a low."""
    expected = 'a finite number'
    if low is not None:
      expected = f'a number from {low} to {high}'
    try:
      found = values.number(value, expected)
    except values.UnfitError as error:
      raise EnvironmentFaultError(
        f'environment {self._name!r}: step() returned the {what} {error}'
      ) from None
    if low is not None and not low <= found <= high:
      raise self._fault('step', f'the {what} {found}', expected)
    return found

  def observe(self) -> np.ndarray:
    try:
      return self._adapter.observation(self._observation)
    except values.UnfitError as error:
      raise EnvironmentFaultError(
        f'environment {self._name!r}: {self._method}() returned the '
        f'observation {error}'
      ) from None

  def get_state(self) -> dict[str, np.ndarray]:
    try:
      return {custom_state.KEY: custom_state.encode(self._env.get_state())}
    except custom_state.UnsavableError as error:
      raise EnvironmentFaultError(
        f'environment {self._name!r}: get_state() returned what cannot be '
        f'saved: {error}'
      ) from None

  def set_state(self, state: dict[str, np.ndarray]) -> None:
    if custom_state.KEY in state:
      self._env.set_state(custom_state.decode(state[custom_state.KEY]))
    else:
      self._env.set_state(state.get(_ARRAY, state))

  def close(self) -> None:
    self._env.close()


class GymnasiumAdapter(SingleAdapter):
  """A `gymnasium.Env`: `terminated` gives a discount of 0, `truncated` 1."""

  def begin(self, seed: int) -> None:
    self._build(seed)
    self._reset(seed=seed)

  def reset(self) -> None:
    self._reset()

  def _reset(self, **seed: int) -> None:
    try:
      found = self._env.reset(**seed)
    except TypeError as error:
      if not _NO_SEED.search(str(error)):
        raise
      raise EnvironmentFaultError(
        f'environment {self._name!r}: reset() does not take a seed as '
        f'gymnasium asks, reset(self, *, seed=None, options=None): {error}'
      ) from error
    # An array of two numbers must not be taken for a pair.
    if not isinstance(found, tuple) or len(found) != 2:
      raise self._fault('reset', values.described(found), _GYMNASIUM_RESET)
    self._observation, info = found
    if info is not None and not isinstance(info, Mapping):
      raise self._fault('reset', f'the info {values.described(info)}', 'a dict')
    self._method = 'reset'

  def advance(self, action: np.ndarray) -> Outcome:
    found = self._env.step(self._adapter.action(action))
    if not isinstance(found, (tuple, list)) or len(found) != 5:
      old = type(found) is tuple and len(found) == 4
      raise self._fault(
        'step',
        values.described(found) + old * ', as of gym before 0.26',
        _GYMNASIUM_STEP,
      )
    self._observation, reward, terminated, truncated, _ = found
    self._method = 'step'
    terminated = self._flag('terminated', terminated)
    truncated = self._flag('truncated', truncated)
    return Outcome(
      self._number('reward', reward),
      float(not terminated),
      terminated or truncated,
    )

  def _flag(self, what: str, value: Any) -> bool:
    found = self._number(what, value, 0)
    if found not in (0, 1):
      raise self._fault('step', f'{what} {found}', 'True or False')
    return bool(found)


class DmEnvAdapter(SingleAdapter):
  """A `dm_env.Environment`; to seed it, it is built again."""

  def begin(self, seed: int) -> None:
    self._build(seed)
    self.reset()

  def reset(self) -> None:
    timestep = self._timestep('reset', self._env.reset())
    if not timestep.first():
      raise self._fault(
        'reset',
        f'a time step of the type {timestep.step_type!r}',
        'StepType.FIRST, as of dm_env.restart',
      )
    self._observation = timestep.observation

  def advance(self, action: np.ndarray) -> Outcome:
    timestep = self._timestep(
      'step', self._env.step(self._adapter.action(action))
    )
    if timestep.first():
      raise self._fault(
        'step',
        'a time step of the type StepType.FIRST in mid-episode',
        'StepType.LAST with the last observation of an episode, after which '
        'reset() is called',
      )
    self._observation = timestep.observation
    return Outcome(
      self._number('reward', timestep.reward),
      self._number('discount', timestep.discount, 0),
      timestep.last(),
    )

  def _timestep(self, method: str, found: Any) -> dm_env.TimeStep:
    # Some have a class of their own with more fields.
    if not all(
      hasattr(found, name) for name in (*dm_env.TimeStep._fields, 'last')
    ):
      raise self._fault(method, values.described(found), 'a dm_env.TimeStep')
    try:
      values.whole_number(found.step_type, 0, 2)
    except values.UnfitError as error:
      raise EnvironmentFaultError(
        f'environment {self._name!r}: {method}() returned a time step of the '
        f'type {error}, a dm_env.StepType'
      ) from None
    self._method = method
    return found
