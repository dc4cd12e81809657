"""Acrobot: swing the free end of two links up, with a torque between them.

The rules are those of Gymnasium's Acrobot-v1, whose equations of motion are
those of the book (Sutton & Barto, 2018, "Reinforcement Learning: An
Introduction", section 11.3 of the first edition). theta_1 = 0 hangs down,
theta_2 is relative to the first link, tau is -1, 0 or 1 N m (actions 0, 1, 2),
and with two links of mass m, length l, centre of mass at l / 2 and moment of
inertia I,

    d_1  = m (l/2)^2 + m (l^2 + (l/2)^2 + l^2 cos(theta_2)) + 2 I,
    d_2  = m ((l/2)^2 + l^2/2 cos(theta_2)) + I,
    phi_2 = m l/2 g cos(theta_1 + theta_2 - pi/2),
    phi_1 = -m l^2/2 sin(theta_2) (theta_2'^2 + 2 theta_2' theta_1')
            + 3/2 m l g cos(theta_1 - pi/2) + phi_2,
    theta_2'' = (tau + d_2 / d_1 phi_1 - m l^2/2 theta_1'^2 sin(theta_2)
                 - phi_2) / (m (l/2)^2 + I - d_2^2 / d_1),
    theta_1'' = -(d_2 theta_2'' + phi_1) / d_1,

in one Runge-Kutta step of 0.2 s; then angles are put within -pi and pi and
velocities clipped to 4 pi and 9 pi. The reward is -1 a step, and 0 at the one
that terminates: where the free end is a link's length above the axis,
-cos(theta_1) - cos(theta_1 + theta_2) > 1. An episode starts with all four
numbers uniform within -0.1 and 0.1.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from plasticity_rl.environments import control
from plasticity_rl.environments.spaces import Discrete
from plasticity_rl.types import Key

DT = 0.2
MAX_SPEED_1, MAX_SPEED_2 = 4 * jnp.pi, 9 * jnp.pi


class Physics(NamedTuple):
  """Constants of both links, which are alike.

  Attributes:
    gravity: in m/s^2.
    length: in m; the centre of mass is in the middle.
    mass: in kg. The moment of inertia about the centre of mass is mass x
      length^2, which is Gymnasium's 1 kg m^2.
  """

  gravity: float = 9.8
  length: float = 1.0
  mass: float = 1.0


class State(NamedTuple):
  """Angles in rad and velocities in rad/s, each `[]`."""

  theta_1: jax.Array
  theta_2: jax.Array
  velocity_1: jax.Array
  velocity_2: jax.Array


def make() -> control.System:
  """Acrobot; observations are cos, sin of both angles and both velocities.

  Returns:
    The system, with three actions. A return is -500 where the end is never
    reached within Gymnasium's limit, as with most random players; -100 is the
    threshold at which Gymnasium calls it solved.
  """

  def start(key: Key) -> State:
    return State(*jax.random.uniform(key, [4], minval=-0.1, maxval=0.1))

  def observe(state: State) -> jax.Array:
    return jnp.stack(
      [
        jnp.cos(state.theta_1),
        jnp.sin(state.theta_1),
        jnp.cos(state.theta_2),
        jnp.sin(state.theta_2),
        state.velocity_1,
        state.velocity_2,
      ]
    ).astype(jnp.float32)

  def advance(
    physics: Physics, state: State, action: jax.Array
  ) -> tuple[State, jax.Array, jax.Array]:
    torque = action - 1
    theta_1, theta_2, velocity_1, velocity_2 = control.runge_kutta(
      lambda y: _derivative(physics, y, torque), jnp.stack(state), DT
    )
    state = State(
      _wrapped(theta_1),
      _wrapped(theta_2),
      jnp.clip(velocity_1, -MAX_SPEED_1, MAX_SPEED_1),
      jnp.clip(velocity_2, -MAX_SPEED_2, MAX_SPEED_2),
    )
    height = -jnp.cos(state.theta_1) - jnp.cos(state.theta_1 + state.theta_2)
    reached = height > 1
    return state, jnp.where(reached, 0.0, -1.0), reached

  return control.System(
    name='acrobot',
    observation_shape=(6,),
    actions=Discrete(3),
    return_range=(-500.0, -100.0),
    range_frames=500,
    physics=Physics(),
    start=start,
    observe=observe,
    advance=advance,
  )


def _derivative(physics, y, torque):
  """Velocities and accelerations, `[4]`, of angles and velocities."""
  theta_1, theta_2, velocity_1, velocity_2 = y
  gravity, length, mass = physics
  centre, inertia = length / 2, mass * length**2
  sin, cos = jnp.sin(theta_2), jnp.cos(theta_2)
  coupling = mass * length * centre
  d_1 = mass * (length**2 + 2 * centre**2) + 2 * coupling * cos + 2 * inertia
  d_2 = mass * centre**2 + coupling * cos + inertia
  # sin(x) = cos(x - pi / 2), with the smaller rounding error.
  phi_2 = mass * centre * gravity * jnp.sin(theta_1 + theta_2)
  phi_1 = (
    -coupling * sin * (velocity_2**2 + 2 * velocity_2 * velocity_1)
    + mass * (centre + length) * gravity * jnp.sin(theta_1)
    + phi_2
  )
  acceleration_2 = (
    torque + d_2 / d_1 * phi_1 - coupling * velocity_1**2 * sin - phi_2
  ) / (mass * centre**2 + inertia - d_2**2 / d_1)
  acceleration_1 = -(d_2 * acceleration_2 + phi_1) / d_1
  return jnp.stack([velocity_1, velocity_2, acceleration_1, acceleration_2])


def _wrapped(angle):
  """The angle within -pi and pi."""
  turns = jnp.floor((angle + jnp.pi) / (2 * jnp.pi))
  return angle - 2 * jnp.pi * turns
