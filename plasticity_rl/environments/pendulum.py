"""Pendulum: swing a pole up and keep it there, with a torque that is too weak.

The rules are those of Gymnasium's Pendulum-v1. With theta = 0 upright,

    reward  = -(theta^2 + 0.1 theta'^2 + 0.001 u^2)      before the step,
    theta'  = clip(theta' + (3 g / (2 l) sin(theta) + 3 u / (m l^2)) dt, -8, 8),
    theta   = theta + theta' dt,

g = 10, l = m = 1, dt = 0.05 s, a torque u of -2 to 2 N m, and theta in the
reward within -pi and pi. An episode starts at a uniform angle and a velocity
within -1 and 1, never terminates, and is truncated after 200 steps. Actions are
within -1 and 1 and scaled by 2.
"""

from typing import NamedTuple

import dm_env
import jax
import jax.numpy as jnp

from plasticity_rl.environments import base
from plasticity_rl.environments.spaces import Continuous
from plasticity_rl.types import Key

MAX_SPEED, MAX_TORQUE, DT = 8.0, 2.0, 0.05
GRAVITY, LENGTH, MASS = 10.0, 1.0, 1.0


class State(NamedTuple):
  """Angle in rad and velocity in rad/s, each float32 `[]`."""

  theta: jax.Array
  velocity: jax.Array


def make() -> base.Environment:
  """Pendulum; observations are cos(theta), sin(theta) and the velocity.

  Returns:
    The environment, with one continuous action. Returns are at least -16.3 a
    step; -150 is good play.
  """

  def observe(state: State) -> jax.Array:
    return jnp.stack(
      [jnp.cos(state.theta), jnp.sin(state.theta), state.velocity]
    )

  def init(key: Key) -> State:
    theta, velocity = jax.random.uniform(key, [2], minval=-1.0)
    return State(jnp.pi * theta, velocity)

  def reset(key: Key, state: State) -> tuple[State, dm_env.TimeStep]:
    del state
    state = init(key)
    return state, base.restart(observe(state))

  def step(
    key: Key, state: State, action: jax.Array
  ) -> tuple[State, dm_env.TimeStep]:
    del key
    torque = MAX_TORQUE * jnp.clip(action[0], -1, 1)
    angle = (state.theta + jnp.pi) % (2 * jnp.pi) - jnp.pi
    cost = angle**2 + 0.1 * state.velocity**2 + 0.001 * torque**2
    push = 3 * GRAVITY / (2 * LENGTH) * jnp.sin(state.theta)
    push += 3 / (MASS * LENGTH**2) * torque
    velocity = jnp.clip(state.velocity + push * DT, -MAX_SPEED, MAX_SPEED)
    state = State(state.theta + velocity * DT, velocity)
    return state, base.transition(-cost, jnp.array(False), observe(state))

  return base.Environment(
    name='pendulum',
    observation_shape=(3,),
    observation_dtype=jnp.float32,
    actions=Continuous(1),
    return_range=(-1500.0, -150.0),
    range_frames=200,
    shortest_episode=base.ENDLESS,
    init=init,
    reset=reset,
    step=step,
  )
