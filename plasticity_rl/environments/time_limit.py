"""A limit on the steps of an episode, which truncates it."""

from typing import NamedTuple

import dm_env
import jax
import jax.numpy as jnp

from plasticity_rl.environments import base
from plasticity_rl.environments import episode_cut
from plasticity_rl.errors import UserError
from plasticity_rl.types import Key


class State(NamedTuple):
  """The limited environment's state and the steps `[]` since its reset."""

  inner: base.State
  steps: jax.Array


def time_limit(
  env: base.Environment, max_episode_steps: int
) -> base.Environment:
  """Ends every episode after `max_episode_steps` steps at the latest.

  The environment's discount is kept: 1 if only the limit ended the episode, so
  that learners bootstrap from the last observation, and 0 if the episode
  terminated, also if it did so at the limit.

  Args:
    env: the environment.
    max_episode_steps: steps, at least 1, after which the time step is `LAST`.

  Returns:
    The environment with the limit.

  Raises:
    UserError: `max_episode_steps` is not an integer of at least 1.
  """
  if not isinstance(max_episode_steps, int) or max_episode_steps < 1:
    raise UserError(
      'time_limit: max_episode_steps must be an integer of 1 or more, not '
      f'{max_episode_steps}'
    )

  def start(inner: base.State) -> State:
    return State(inner, jnp.array(0, jnp.int32))

  def init(key: Key) -> State:
    return start(env.init(key))

  def reset(key: Key, state: State) -> tuple[State, dm_env.TimeStep]:
    inner, timestep = env.reset(key, state.inner)
    return start(inner), timestep

  def step(
    key: Key, state: State, action: jax.Array
  ) -> tuple[State, dm_env.TimeStep]:
    inner, timestep = env.step(key, state.inner, action)
    steps = state.steps + 1
    step_type = jnp.where(
      steps >= max_episode_steps, base.LAST, timestep.step_type
    )
    return State(inner, steps), timestep._replace(
      step_type=step_type.astype(jnp.int32)
    )

  def switch(key: Key, state: State) -> State:
    return start(env.switch(key, state.inner))

  frames = max_episode_steps * env.frames_per_step
  return env._replace(
    return_range=episode_cut.return_range(
      env.return_range, env.range_frames, frames
    ),
    range_frames=min(env.range_frames, frames),
    shortest_episode=min(env.shortest_episode, max_episode_steps),
    init=init,
    reset=reset,
    step=step,
    switch=switch if env.switch else None,
  )
