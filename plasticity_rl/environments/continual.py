"""A sequence of tasks: one game under changing permutations.

A task is a permutation of the observation's elements (or channels), of the
actions, or of both. All tasks are equally hard for a freshly initialised
network (without convolutions, if elements are permuted). A network that learns
later tasks less well has therefore lost plasticity.
"""

import functools
import math
from typing import NamedTuple

import dm_env
import jax
import jax.numpy as jnp
import numpy as np

from plasticity_rl.environments import base
from plasticity_rl.environments import gradual
from plasticity_rl.environments import permutations
from plasticity_rl.environments.spaces import Discrete
from plasticity_rl.errors import UserError
from plasticity_rl.types import Key

PERMUTE = ('none', 'inputs', 'channels')


class Task(NamedTuple):
  """A task.

  Attributes:
    inputs: int32 `[N]`; the agent sees entry `inputs[i]` of the game's
      observation as entry i. None if observations are not permuted.
    actions: int32 `[A]`; action i plays the game's `actions[i]`. None if
      actions are not permuted.
  """

  inputs: jax.Array | None
  actions: jax.Array | None


class State(NamedTuple):
  """The game's state and the task.

  Attributes:
    inner: state of the game.
    inputs: see `Task`.
    actions: see `Task`.
    change: from task to task, if they change gradually; otherwise None.
  """

  inner: base.State
  inputs: jax.Array | None
  actions: jax.Array | None
  change: gradual.Change | None = None


def continual(
  env: base.Environment,
  permute: str,
  permute_actions: bool,
  gradual_steps: int = 0,
) -> base.Environment:
  """Turns a game into a sequence of tasks, the next one drawn by `switch`.

  `init` draws the first task as `switch` draws the others, so the first task is
  a random permutation too. Permutations are uniform and independent: by chance,
  a new one may equal the previous one or the identity (with three actions, each
  has a probability of 1/6).

  Args:
    env: the game.
    permute: 'inputs' permutes all elements of the observation, 'channels' only
      its last axis (for images `[H, W, C]`), 'none' neither.
    permute_actions: whether actions are permuted too, independently.
    gradual_steps: steps in which a task turns into the next one, which `switch`
      draws: elements are exchanged a few more at a time, from episode to
      episode. 0 for the new task at once.

  Returns:
    The environment, which has a `switch`. A reset keeps the task, unless it
    changes gradually.

  Raises:
    UserError: nothing is permuted, or what is does not fit the environment.
  """
  _check(env, permute, permute_actions)
  draw = functools.partial(_draw, env, permute, permute_actions)

  def see(state: State, timestep: dm_env.TimeStep) -> dm_env.TimeStep:
    return timestep._replace(
      observation=_see(permute, state.inputs, timestep.observation)
    )

  def init(key: Key) -> State:
    inner_key, task_key = jax.random.split(key)
    inner = env.init(inner_key)
    if gradual_steps:
      change = gradual.begin(task_key, draw)
      return State(inner, *change.before, change)
    return State(inner, *draw(task_key))

  def reset(key: Key, state: State) -> tuple[State, dm_env.TimeStep]:
    inner, timestep = env.reset(key, state.inner)
    state = state._replace(inner=inner)
    if state.change is not None:
      state = State(inner, *_become(state.change, gradual_steps), state.change)
    return state, see(state, timestep)

  def step(
    key: Key, state: State, action: jax.Array
  ) -> tuple[State, dm_env.TimeStep]:
    if permute_actions:
      action = state.actions[action]
    inner, timestep = env.step(key, state.inner, action)
    state = state._replace(inner=inner)
    if state.change is not None:
      state = state._replace(change=gradual.step(state.change))
    return state, see(state, timestep)

  def switch(key: Key, state: State) -> State:
    inner_key, task_key = jax.random.split(key)
    inner = state.inner
    if env.switch is not None:  # The game may have tasks of its own.
      inner = env.switch(inner_key, inner)
    if state.change is not None:
      change = gradual.switch(task_key, state.change, draw)
      return State(inner, *change.before, change)
    return State(inner, *draw(task_key))

  return env._replace(init=init, reset=reset, step=step, switch=switch)


def _become(change, gradual_steps):
  """What the task has become by now."""
  done = gradual.share(change, gradual_steps)

  def between(before, after):
    count = jnp.floor(done * before.size).astype(jnp.int32)
    return permutations.between(before, after, count)

  return jax.tree.map(between, change.before, change.after)


def _check(env, permute, permute_actions):
  if permute not in PERMUTE:
    raise UserError(
      f'continual: permute must be one of {", ".join(PERMUTE)}, not {permute!r}'
    )
  if permute == 'none' and not permute_actions:
    raise UserError(
      "continual: nothing to permute; set permute to 'inputs' or 'channels', "
      'or permute_actions to True'
    )
  if permute_actions and not isinstance(env.actions, Discrete):
    raise UserError(
      f'continual: permute_actions is for discrete actions, but {env.name} has '
      f'continuous ones of size {env.actions.size}'
    )
  shape = env.observation_shape
  if permute == 'channels' and len(shape) < 3:
    raise UserError(
      f"continual: permute='channels' needs observations [H, W, C], but "
      f"{env.name} has shape {list(shape)}; use permute='inputs'"
    )


def _draw(env, permute, permute_actions, key):
  """Draws a task. The key is consumed."""
  inputs_key, actions_key = jax.random.split(key)
  inputs, actions = None, None
  if permute != 'none':
    shape = env.observation_shape
    size = shape[-1] if permute == 'channels' else math.prod(shape)
    inputs = permutations.draw(inputs_key, size)
  if permute_actions:
    actions = permutations.draw(actions_key, env.actions.num_actions)
  return Task(inputs, actions)


def _see(permute, inputs, observation):
  """The observation of the game as the task shows it."""
  if permute == 'inputs':
    return observation.reshape(-1)[inputs].reshape(observation.shape)
  if permute == 'channels':
    return observation[..., inputs]
  return observation


def as_played(
  permute: str, inputs: np.ndarray | None, seen: np.ndarray
) -> np.ndarray:
  """The observation of the game, from what a task shows of it.

  Args:
    permute: as in `continual`.
    inputs: of the task's `State`.
    seen: the observation that the agent sees.
  """
  if permute == 'none' or inputs is None:
    return seen
  played = np.empty_like(seen)
  if permute == 'inputs':
    played.reshape(-1)[inputs] = seen.reshape(-1)
  else:
    played[..., inputs] = seen
  return played
