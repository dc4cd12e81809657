"""Pendulum: swing a pole up and keep it there, with a torque that is too weak.

The rules are those of Gymnasium's Pendulum-v1. With theta = 0 upright,

    reward  = -(theta^2 + 0.1 theta'^2 + 0.001 u^2)      before the step,
    theta'  = clip(theta' + (3 g / (2 l) sin(theta) + 3 u / (m l^2)) dt, -8, 8),
    theta   = theta + theta' dt,

g = 10, l = m = 1, dt = 0.05 s, a torque u of -2 to 2 N m, and theta in the
reward within -pi and pi. An episode starts at a uniform angle and a velocity
within -1 and 1, and never terminates. Actions are within -1 and 1 and scaled by
2.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from plasticity_rl.environments import base
from plasticity_rl.environments import control
from plasticity_rl.environments.spaces import Continuous
from plasticity_rl.types import Key

MAX_SPEED, MAX_TORQUE, DT = 8.0, 2.0, 0.05


class Physics(NamedTuple):
  """Gravity in m/s^2, the pole's length in m and its mass in kg."""

  gravity: float = 10.0
  length: float = 1.0
  mass: float = 1.0


class State(NamedTuple):
  """Angle in rad and velocity in rad/s, each `[]`."""

  theta: jax.Array
  velocity: jax.Array


def make() -> control.System:
  """Pendulum; observations are cos(theta), sin(theta) and the velocity.

  Returns:
    The system, with one continuous action. Rewards are at least -16.3 a step. A
    return of 200 steps is -1200 in the mean of a random player (measured here)
    and around -150 where the pole is swung up and kept.
  """

  def start(key: Key) -> State:
    theta, velocity = jax.random.uniform(key, [2], minval=-1.0)
    return State(jnp.pi * theta, velocity)

  def observe(state: State) -> jax.Array:
    return jnp.stack(
      [jnp.cos(state.theta), jnp.sin(state.theta), state.velocity]
    ).astype(jnp.float32)

  def advance(
    physics: Physics, state: State, action: jax.Array
  ) -> tuple[State, jax.Array, jax.Array]:
    torque = MAX_TORQUE * jnp.clip(action[0], -1, 1)
    angle = (state.theta + jnp.pi) % (2 * jnp.pi) - jnp.pi
    cost = angle**2 + 0.1 * state.velocity**2 + 0.001 * torque**2
    push = 3 * physics.gravity / (2 * physics.length) * jnp.sin(state.theta)
    push += 3 / (physics.mass * physics.length**2) * torque
    velocity = jnp.clip(state.velocity + push * DT, -MAX_SPEED, MAX_SPEED)
    state = State(state.theta + velocity * DT, velocity)
    return state, -cost, jnp.array(False)

  return control.System(
    name='pendulum',
    observation_shape=(3,),
    actions=Continuous(1),
    return_range=(-1200.0, -150.0),
    range_frames=200,
    physics=Physics(),
    start=start,
    observe=observe,
    advance=advance,
    shortest_episode=base.ENDLESS,
  )
