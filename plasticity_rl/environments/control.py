"""Control problems: equations of motion with constants that may vary.

A `System` keeps its constants (gravity, length, mass...) apart from its state,
so that the same equations serve one problem (`environment`, here) and a
sequence of problems (`varying.vary`).
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import dm_env
import jax
import jax.numpy as jnp

from plasticity_rl.environments import base
from plasticity_rl.environments import spaces
from plasticity_rl.environments import time_limit
from plasticity_rl.types import Key


class System(NamedTuple):
  """A control problem.

  Attributes:
    name: of the problem.
    observation_shape: shape of one observation.
    actions: `Discrete` or `Continuous`.
    return_range: lowest and highest return to expect of an episode; see
      `base.Environment`.
    range_frames: frames that such returns take.
    physics: the constants that may vary, a NamedTuple of floats.
    start: `(key) -> state`, the start of an episode. The key is consumed.
    observe: `(state) -> observation`.
    advance: `(physics, state, action) -> (state, reward, terminated)`.
    frames_per_step: steps of the integration for each decision.
    max_frames: frames after which an episode is truncated, where this belongs
      to the problem; 0 for no limit.
    shortest_episode: see `base.Environment`.
    observation_dtype: dtype of observations.
  """

  name: str
  observation_shape: tuple[int, ...]
  actions: spaces.Discrete | spaces.Continuous
  return_range: tuple[float, float]
  range_frames: int
  physics: Any
  start: Callable[[Key], Any]
  observe: Callable[[Any], jax.Array]
  advance: Callable[[Any, Any, jax.Array], tuple[Any, jax.Array, jax.Array]]
  frames_per_step: int = 1
  max_frames: int = 0
  shortest_episode: int = 1
  observation_dtype: Any = jnp.float32


def environment(system: System) -> base.Environment:
  """The environment of a system whose constants stay."""

  def reset(key: Key, state: Any) -> tuple[Any, dm_env.TimeStep]:
    del state  # Episodes have nothing in common.
    state = system.start(key)
    return state, base.restart(system.observe(state))

  def step(
    key: Key, state: Any, action: jax.Array
  ) -> tuple[Any, dm_env.TimeStep]:
    del key  # Nothing random happens within an episode.
    state, reward, terminated = system.advance(system.physics, state, action)
    return state, base.transition(reward, terminated, system.observe(state))

  return limited(
    system,
    base.Environment(
      name=system.name,
      observation_shape=system.observation_shape,
      observation_dtype=system.observation_dtype,
      actions=system.actions,
      return_range=system.return_range,
      range_frames=system.range_frames,
      frames_per_step=system.frames_per_step,
      shortest_episode=system.shortest_episode,
      init=system.start,
      reset=reset,
      step=step,
    ),
  )


def limited(system: System, env: base.Environment) -> base.Environment:
  """The environment with the limit that belongs to the system, if any."""
  if not system.max_frames:
    return env
  # The last decision of an episode may be cut short of its frames.
  steps = -(-system.max_frames // system.frames_per_step)
  return time_limit.time_limit(env, steps)


def runge_kutta(
  derivative: Callable[[jax.Array], jax.Array], y: jax.Array, dt: float
) -> jax.Array:
  """One step of the classic Runge-Kutta method of fourth order.

  Args:
    derivative: `(y) -> dy/dt`, both `[N]`.
    y: `[N]`.
    dt: seconds.

  Returns:
    y after `dt`, `[N]`.
  """
  k1 = derivative(y)
  k2 = derivative(y + dt / 2 * k1)
  k3 = derivative(y + dt / 2 * k2)
  k4 = derivative(y + dt * k3)
  return y + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
