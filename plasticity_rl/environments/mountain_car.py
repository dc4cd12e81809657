"""Mountain car: leave a valley with an engine that is too weak for its slope.

The rules are those of Gymnasium's MountainCar-v0 and MountainCarContinuous-v0
(Moore, 1990, "Efficient memory-based learning for robot control"). With a push
u of -1, 0 or 1 (actions 0, 1, 2), or of any value within -1 and 1,

    v = clip(v + u F - g cos(3 x), -0.07, 0.07),
    x = clip(x + v, -1.2, 0.6),

g = 0.0025, and F = 0.001 (discrete) or 0.0015 (continuous). At the left end v
is 0 if it was negative. An episode starts at rest, at x uniform within -0.6 and
-0.4, and terminates where x is at least 0.5 (discrete) or 0.45 (continuous) and
v is not negative. The reward is -1 a step (discrete), or -0.1 u^2, and 100 more
where the episode terminates (continuous).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from plasticity_rl.environments import control
from plasticity_rl.environments.spaces import Continuous
from plasticity_rl.environments.spaces import Discrete
from plasticity_rl.types import Key

MIN_POSITION, MAX_POSITION, MAX_SPEED = -1.2, 0.6, 0.07


class Physics(NamedTuple):
  """Changes of the velocity in a step, by gravity and by the engine."""

  gravity: float = 0.0025
  force: float = 0.001


class State(NamedTuple):
  """Position and velocity, each `[]`."""

  position: jax.Array
  velocity: jax.Array


def make(continuous: bool = False) -> control.System:
  """Mountain car; observations are position and velocity.

  Args:
    continuous: whether the push is continuous.

  Returns:
    The system. A random player does not leave the valley within Gymnasium's
    limit: a return of -200 (discrete), or -33 (continuous, 999 steps). The high
    ends are the thresholds at which Gymnasium calls it solved, -110 and 90.
  """
  goal = 0.45 if continuous else 0.5

  def start(key: Key) -> State:
    position = jax.random.uniform(key, (), minval=-0.6, maxval=-0.4)
    return State(position, jnp.zeros_like(position))

  def observe(state: State) -> jax.Array:
    return jnp.stack(state).astype(jnp.float32)

  def advance(
    physics: Physics, state: State, action: jax.Array
  ) -> tuple[State, jax.Array, jax.Array]:
    push = jnp.clip(action[0], -1, 1) if continuous else action - 1
    slope = jnp.cos(3 * state.position)
    velocity = jnp.clip(
      state.velocity + push * physics.force - physics.gravity * slope,
      -MAX_SPEED,
      MAX_SPEED,
    )
    position = jnp.clip(state.position + velocity, MIN_POSITION, MAX_POSITION)
    stopped = (position == MIN_POSITION) & (velocity < 0)
    velocity = jnp.where(stopped, 0.0, velocity)
    reached = (position >= goal) & (velocity >= 0)
    reward = jnp.array(-1.0)
    if continuous:
      reward = jnp.where(reached, 100.0, 0.0) - 0.1 * push**2
    return State(position, velocity), reward, reached

  return control.System(
    name='mountain_car_continuous' if continuous else 'mountain_car',
    observation_shape=(2,),
    actions=Continuous(1) if continuous else Discrete(3),
    return_range=(-33.0, 90.0) if continuous else (-200.0, -110.0),
    range_frames=999 if continuous else 200,
    physics=Physics(force=0.0015 if continuous else 0.001),
    start=start,
    observe=observe,
    advance=advance,
  )
