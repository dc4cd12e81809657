"""The interface of an environment on the device, and its time steps."""

from collections.abc import Callable
from typing import Any, NamedTuple

import dm_env
import jax
import jax.numpy as jnp

from plasticity_rl.environments import spaces

# Integers, since an enum member cannot pass through `scan`.
FIRST = int(dm_env.StepType.FIRST)
MID = int(dm_env.StepType.MID)
LAST = int(dm_env.StepType.LAST)
# Steps of an episode that only a limit ends.
ENDLESS = 2**31 - 1

State = Any  # Any pytree of arrays, of a structure that never changes.


class Environment(NamedTuple):
  """Pure functions for one environment; callers `vmap` them.

  Time steps are `dm_env.TimeStep` of arrays: `step_type` int32, `reward` and
  `discount` float32, `observation` of the declared shape and dtype. A reward
  of zero and a discount of one replace dm_env's `None` after a reset, so that
  dtypes are fixed. An episode ends with `LAST`: discount 0 is a termination,
  discount 1 a truncation, and the observation is the last one of that episode.
  Environments do not reset themselves: the caller calls `reset`. After `LAST`,
  the values that `step` returns are undefined; their structure is the same.

  Attributes:
    name: name of the game.
    observation_shape: shape of one observation.
    observation_dtype: dtype of observations, also in a replay.
    actions: `Discrete` or `Continuous`.
    return_range: lowest and highest return to expect of an episode: a scale
      for margins, not a bound. The file of each game gives its source.
    range_frames: frames that such returns take, of which an episode that is cut
      earlier has a share (`episode_cut.return_range`); 0 if a cut changes
      nothing.
    frames_per_step: frames, or steps of the integration, for each decision.
    shortest_episode: steps that every episode takes at least, whatever the
      agent does. A replay that counts on more than is true mixes up episodes;
      with less it takes more memory.
    init: `(key) -> state`, the state before the first episode: the task, and
      placeholders for the rest. The key is consumed.
    reset: `(key, state) -> (state, timestep)`, starts an episode and keeps the
      task. The key is consumed.
    step: `(key, state, action) -> (state, timestep)`, with an integer action
      `[]`, or a vector `[A]` within -1 and 1. The key is consumed.
    switch: `(key, state) -> state`, draws the next task, after which the caller
      resets; None where there is a single task. The key is consumed.
  """

  name: str
  observation_shape: tuple[int, ...]
  observation_dtype: Any
  actions: spaces.Discrete | spaces.Continuous
  return_range: tuple[float, float]
  init: Callable[[jax.Array], State]
  reset: Callable[[jax.Array, State], tuple[State, dm_env.TimeStep]]
  step: Callable[[jax.Array, State, jax.Array], tuple[State, dm_env.TimeStep]]
  switch: Callable[[jax.Array, State], State] | None = None
  range_frames: int = 0
  frames_per_step: int = 1
  shortest_episode: int = 1

  @property
  def spaces(self) -> spaces.Spaces:
    """The spaces of observations and actions."""
    return spaces.Spaces(
      self.observation_shape, self.observation_dtype, self.actions
    )


def restart(observation: jax.Array) -> dm_env.TimeStep:
  """The first time step of an episode."""
  return dm_env.TimeStep(
    step_type=jnp.array(FIRST, jnp.int32),
    reward=jnp.array(0.0, jnp.float32),
    discount=jnp.array(1.0, jnp.float32),
    observation=observation,
  )


def transition(
  reward: jax.Array, terminated: jax.Array, observation: jax.Array
) -> dm_env.TimeStep:
  """A time step after an action, the last one where `terminated` holds.

  Args:
    reward: `[]`.
    terminated: boolean `[]`.
    observation: the observation after the action, also at the end.

  Returns:
    The time step, whose discount is zero where `terminated`.
  """
  return dm_env.TimeStep(
    step_type=jnp.where(terminated, LAST, MID).astype(jnp.int32),
    reward=jnp.asarray(reward, jnp.float32),
    discount=jnp.where(terminated, 0.0, 1.0).astype(jnp.float32),
    observation=observation,
  )
