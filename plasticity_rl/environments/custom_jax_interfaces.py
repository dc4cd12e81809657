"""Interfaces of environments in JAX, made one.

Of the kind of gymnax are `gymnax`, `craftax`, `foragax` and others: a step
takes a key, a state and an action, and returns a tuple. `octax` and `jaxtari`
are near to it. Of the kind of brax are `brax` and MuJoCo Playground: a state
goes in and a state comes out, with `obs`, `reward`, `done` and `info`.
"""

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from plasticity_rl import errors
from plasticity_rl.environments import custom_jax_spaces as spaces
from plasticity_rl.environments import custom_values as values
from plasticity_rl.errors import UserError

# Parameters that limit the steps of an episode, in gymnax and in craftax.
_LIMITS = ('max_steps_in_episode', 'max_timesteps')
# As good as none, and far from the largest int32.
_NO_LIMIT = 2**30

_STEP = (
  '(observation, state, reward, done, info), or with (terminated, truncated) '
  'in place of done'
)


class Outcome(NamedTuple):
  """The result of a step. The last three are of one number or boolean each.

  Attributes:
    observation: after the action; if an episode ended, its last observation.
    state: of the environment.
    reward: of this step.
    terminated: whether the environment ended the episode.
    truncated: whether a limit on its steps did, which says nothing of the
      future.
  """

  observation: Any
  state: Any
  reward: Any
  terminated: Any
  truncated: Any


class Interface(NamedTuple):
  """An environment as pure functions.

  Attributes:
    reset: `(key) -> (observation, state)`.
    step: `(key, state, action) -> Outcome`, with an action of the environment.
    actions: its actions.
    count: members of its space of observations if that is discrete, else None.
    note: what the user may not expect of its episodes; '' for nothing.
  """

  reset: Callable[[jax.Array], tuple[Any, Any]]
  step: Callable[[jax.Array, Any, Any], Outcome]
  actions: spaces.Actions
  count: int | None = None
  note: str = ''


def adapt(
  name: str, made: Any, parameters: tuple[tuple[str, Any], ...]
) -> Interface:
  """The interface of what a user's callable returned.

  Args:
    name: of the environment, for messages.
    made: an environment, or a tuple that begins with one: gymnax adds its
      parameters.
    parameters: those to change, (name, value).

  Raises:
    UserError: it lacks methods, or has no such parameters.
  """
  env, given = made, None
  if isinstance(made, tuple) and made:
    env, given = made[0], (made[1] if len(made) > 1 else None)
  for method in ('reset', 'step'):
    if not callable(getattr(env, method, None)):
      raise UserError(
        f'environment {name!r} makes a {type(env).__name__}, which has no '
        f'method {method}(): it is neither of the kind of gymnax nor of the '
        'kind of brax'
      )
  if hasattr(env, 'action_size'):
    if parameters:
      raise UserError(
        f'environment {name!r}: parameters are of the kind of gymnax, but '
        f'{type(env).__name__} has action_size, as of brax; give arguments'
      )
    return _brax(name, env)
  return _Gymnax(name, env, given, parameters).interface()


class _Gymnax:
  """An environment of the kind of gymnax, with its parameters."""

  def __init__(self, name: str, env: Any, given: Any, parameters: tuple):
    self._name, self._env = name, env
    default = getattr(env, 'default_params', None)
    # octax adds a description of the game instead.
    params = given if type(given) is type(default) else default
    self._params = _changed(name, params, parameters)
    # In the class itself: wrappers pass on the method of what is inside.
    self._step_env = hasattr(type(env), 'step_env')
    self._step = env.step_env if self._step_env else env.step
    module = type(env).__module__.split('.')[0]
    self._is_octax = module == 'octax' and not self._step_env
    self._limit = next((f for f in _LIMITS if hasattr(params, f)), None)
    if self._limit and getattr(params, self._limit) is None:
      self._limit = None

  def interface(self) -> Interface:
    """The environment as pure functions."""
    env, count = self._env, None
    if hasattr(env, 'observation_space'):
      count = spaces.count_of(self._ask(env.observation_space))
    if hasattr(env, 'action_space'):
      actions = spaces.actions(self._name, self._ask(env.action_space))
    elif hasattr(env, 'num_actions'):
      actions = spaces.actions(self._name, _Count(env.num_actions))
    else:
      raise UserError(
        f'environment {self._name!r} makes a {type(env).__name__}, which has '
        'neither action_space() nor action_size'
      )
    return Interface(self.reset, self.step, actions, count)

  def reset(self, key: jax.Array) -> tuple[Any, Any]:
    """Starts an episode."""
    found = self._ask(self._env.reset, key)
    if self._is_octax:  # It puts the state first.
      state, observation, _ = found
      return _picture(observation), state
    if isinstance(found, tuple) and len(found) == 2:
      return found
    raise UserError(
      f'environment {self._name!r}: reset() returned {values.described(found)}'
      '; expected (observation, state)'
    )

  def step(self, key: jax.Array, state: Any, action: Any) -> Outcome:
    """Takes a step, and tells the two ends apart.

    With one `done`, the same step is taken without the limit on steps: what
    does not end then was ended by the limit. (XLA leaves out the rest of the
    second step.) In gymnax 1.0, `done` of `step_env` is without the limit, and
    `is_truncated` tells it.
    """
    found = self._take(self._params, key, state, action)
    if len(found) == 6:
      return self._six(found)
    observation, after, reward, done, info = found
    observation = self._last(observation, info)
    done, truncated = self._flag('done', done), jnp.array(False)
    terminated = done
    if self._limit:
      unlimited = _replaced(
        self._params, self._limit, _no_limit(getattr(self._params, self._limit))
      )
      # Some change a state that is a dict.
      state = jax.tree.map(lambda x: x, state)
      without = self._take(unlimited, key, state, action)
      terminated = done & self._flag('done', without[3])
      truncated = done
    if self._step_env and self._tells_truncation():
      told = self._env.is_truncated(after, self._params)
      truncated |= self._flag('is_truncated', told)
    return Outcome(
      observation, after, reward, terminated, truncated & ~terminated
    )

  def _tells_truncation(self) -> bool:
    has_field = hasattr(self._params, _LIMITS[0])
    return hasattr(self._env, 'is_truncated') and (
      self._limit is not None or not has_field
    )

  def _six(self, found: tuple) -> Outcome:
    if self._is_octax:
      state, observation, reward, terminated, truncated, _ = found
      observation = _picture(observation)
    else:
      observation, state, reward, terminated, truncated, info = found
      observation = self._last(observation, info)
    terminated = self._flag('terminated', terminated)
    truncated = self._flag('truncated', truncated) & ~terminated
    return Outcome(observation, state, reward, terminated, truncated)

  def _flag(self, what: str, value: Any) -> jax.Array:
    return _flag(self._name, what, value)

  def _last(self, observation: Any, info: Any) -> Any:
    """The observation after a step, also where the environment reset itself."""
    if self._step_env:
      return observation
    if isinstance(info, Mapping) and 'final_observation' in info:
      return info['final_observation']
    if hasattr(self._env, 'step_env'):  # Of what is inside.
      raise UserError(
        f'environment {self._name!r} makes a {type(self._env).__name__} around '
        'an environment that resets itself, so that the last observation of '
        'an episode is lost: it needs a step_env() of its own, or the info '
        "'final_observation' of gymnax 1.0"
      )
    return observation

  def _take(self, params: Any, key: jax.Array, state: Any, action: Any) -> Any:
    arguments = (key, state, action, params)
    count = _arity(self._step)
    if count == 2:  # What is random is in the state.
      arguments = (state, action)
    elif count == 3:
      arguments = (key, state, action)
    found = self._step(*arguments)
    if not isinstance(found, tuple) or len(found) not in (5, 6):
      raise UserError(
        f'environment {self._name!r}: {self._step.__name__}() returned '
        f'{values.described(found)}; expected {_STEP}'
      )
    return found

  def _ask(self, method: Callable, *arguments: Any) -> Any:
    """Calls a method that may take the parameters as well."""
    count = _arity(method)
    if count is None or count > len(arguments):
      arguments = (*arguments, self._params)
    return method(*arguments)


class _Count(NamedTuple):
  """A discrete space."""

  n: int


def _brax(name: str, env: Any) -> Interface:
  """An environment of the kind of brax."""

  def looked_at(method: str, state: Any) -> Any:
    if not all(hasattr(state, part) for part in ('obs', 'reward', 'done')):
      raise UserError(
        f'environment {name!r}: {method}() returned {values.described(state)}; '
        'expected a state with obs, reward, done and info'
      )
    for key in _info(state):
      if str(key).endswith('first_obs'):
        raise UserError(
          f'environment {name!r} makes a {type(env).__name__} that resets '
          'itself, so that the last observation of an episode is lost: name '
          'one that does not, such as brax.envs:get_environment'
        )
    return state

  def reset(key: jax.Array) -> tuple[Any, Any]:
    state = looked_at('reset', env.reset(key))
    return state.obs, state

  def step(key: jax.Array, state: Any, action: Any) -> Outcome:
    del key  # What is random is in the state.
    after = looked_at('step', env.step(state, action))
    cut = _info(after).get('truncation', False)
    truncated = _flag(name, "info['truncation']", cut)
    done = _flag(name, 'done', after.done)
    return Outcome(
      after.obs, after, after.reward, done & ~truncated, done & truncated
    )

  note = ''
  if 'truncation' not in _info(jax.eval_shape(reset, jax.random.PRNGKey(0))[1]):
    note = (
      'it does not limit the steps of an episode itself; '
      'config.environment.max_episode_steps does (1000 in papers)'
    )
  return Interface(
    reset, step, spaces.unit_actions(name, env.action_size), note=note
  )


def _info(state: Any) -> Mapping[str, Any]:
  info = getattr(state, 'info', None)
  return info if isinstance(info, Mapping) else {}


def _flag(name: str, what: str, value: Any) -> jax.Array:
  """A boolean, also where a number was returned."""
  try:
    return jnp.asarray(value) != 0
  except (TypeError, ValueError):
    raise UserError(
      f'environment {name!r}: step() returned {what} = '
      f'{values.described(value)}; expected a boolean'
    ) from None


def _picture(observation: Any) -> Any:
  """octax's frames `[T, W, H]` as a picture `[H, W, T]`."""
  return jnp.transpose(observation, (2, 1, 0))


def _changed(name: str, params: Any, parameters: tuple) -> Any:
  """The parameters of an environment after the user's changes."""
  if not parameters:
    return params
  if not dataclasses.is_dataclass(params) and not hasattr(params, '_fields'):
    raise UserError(
      f'environment {name!r} has no default_params, so that there are no '
      f'parameters to change: {parameters}'
    )
  known = (
    params._fields
    if hasattr(params, '_fields')
    else [field.name for field in dataclasses.fields(params)]
  )
  for pair in parameters:
    if not (
      isinstance(pair, tuple) and len(pair) == 2 and isinstance(pair[0], str)
    ):
      raise UserError(
        f'environment {name!r}: parameters must be pairs (name, value), not '
        f'{pair!r}'
      )
    if pair[0] not in known:
      raise UserError(errors.nearest(f'parameter of {name}', pair[0], known))
    params = _replaced(params, *pair)
  return params


def _replaced(params: Any, field: str, value: Any) -> Any:
  if hasattr(params, '_replace'):
    return params._replace(**{field: value})
  return dataclasses.replace(params, **{field: value})


def _no_limit(limit: Any) -> Any:
  """A limit of the same type that no episode reaches."""
  if isinstance(limit, (int, float)):
    return type(limit)(_NO_LIMIT)
  return jnp.full_like(limit, _NO_LIMIT)


def _arity(method: Callable) -> int | None:
  """How many positional arguments a method takes; None if it does not say."""
  try:
    parameters = inspect.signature(method).parameters.values()
  except (TypeError, ValueError):
    return None
  if any(p.kind is p.VAR_POSITIONAL for p in parameters):
    return None
  kinds = (
    inspect.Parameter.POSITIONAL_ONLY,
    inspect.Parameter.POSITIONAL_OR_KEYWORD,
  )
  return sum(p.kind in kinds for p in parameters)
