"""Cart-pole: keep a pole upright by pushing its cart to the left or the right.

The rules are those of Gymnasium's CartPole-v1 (Barto, Sutton & Anderson, 1983,
"Neuronlike adaptive elements that can solve difficult learning control
problems"). With theta = 0 upright, l half the pole's length, m its mass, M the
total mass, and a push F of -10 or 10 N (actions 0 and 1),

    a       = (F + m l theta'^2 sin(theta)) / M,
    theta'' = (g sin(theta) - a cos(theta)) / (l (4/3 - m cos(theta)^2 / M)),
    x''     = a - m l theta'' cos(theta) / M,

in Euler steps of 0.02 s, positions moved by the velocities before the step. The
reward is 1 a step. An episode starts with all four numbers uniform within -0.05
and 0.05, and terminates where the pole leans by more than 12 degrees or the
cart is more than 2.4 m from the middle.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp

from plasticity_rl.environments import control
from plasticity_rl.environments.spaces import Discrete
from plasticity_rl.types import Key

DT, PUSH = 0.02, 10.0
MAX_POSITION, MAX_ANGLE = 2.4, 12 * math.pi / 180


class Physics(NamedTuple):
  """Constants of the cart and the pole.

  Attributes:
    gravity: in m/s^2.
    length: half the pole's length in m, as in Gymnasium.
    mass: the pole's, in kg.
    cart_mass: in kg.
  """

  gravity: float = 9.8
  length: float = 0.5
  mass: float = 0.1
  cart_mass: float = 1.0


class State(NamedTuple):
  """Position in m, angle in rad, and their velocities a second, each `[]`."""

  position: jax.Array
  velocity: jax.Array
  angle: jax.Array
  angular_velocity: jax.Array


def make() -> control.System:
  """Cart-pole; observations are the four numbers of the state.

  Returns:
    The system, with two actions. A return is the number of steps: up to 500
    within Gymnasium's limit, and 22 in the mean of a random player.
  """

  def start(key: Key) -> State:
    return State(*jax.random.uniform(key, [4], minval=-0.05, maxval=0.05))

  def observe(state: State) -> jax.Array:
    return jnp.stack(state).astype(jnp.float32)

  def advance(
    physics: Physics, state: State, action: jax.Array
  ) -> tuple[State, jax.Array, jax.Array]:
    x, x_dot, theta, theta_dot = state
    total_mass = physics.mass + physics.cart_mass
    moment = physics.mass * physics.length
    cos, sin = jnp.cos(theta), jnp.sin(theta)
    push = jnp.where(action == 1, PUSH, -PUSH)
    without_pole = (push + moment * theta_dot**2 * sin) / total_mass
    angular = (physics.gravity * sin - cos * without_pole) / (
      physics.length * (4 / 3 - physics.mass * cos**2 / total_mass)
    )
    acceleration = without_pole - moment * angular * cos / total_mass
    state = State(
      x + DT * x_dot,
      x_dot + DT * acceleration,
      theta + DT * theta_dot,
      theta_dot + DT * angular,
    )
    fell = (jnp.abs(state.position) > MAX_POSITION) | (
      jnp.abs(state.angle) > MAX_ANGLE
    )
    return state, jnp.array(1.0), fell

  return control.System(
    name='cartpole',
    observation_shape=(4,),
    actions=Discrete(2),
    return_range=(0.0, 500.0),
    range_frames=500,
    physics=Physics(),
    start=start,
    observe=observe,
    advance=advance,
  )
