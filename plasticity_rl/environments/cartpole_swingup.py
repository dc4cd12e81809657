"""Cart-pole swing-up, by the equations that MuJoCo solves for the suite.

The model, the rewards and the starts of an episode are those of the DeepMind
Control Suite (Tassa et al., 2018; `suite/cartpole.xml` and `suite/cartpole.py`
of dm_control 1.0). A cart of 1 kg slides along a rail and carries a pole: a
capsule of 0.1 kg, 1 m long between the centres of its caps, whose radius is
0.045 m. With x the cart's position, theta = 0 upright, l half the length, I the
moment of inertia about the centre of mass, and an action u within -1 and 1,

    (M + m) x'' + m l cos(theta) theta''
        = 10 u - 5e-4 x' + m l theta'^2 sin(theta) + f,
    m l cos(theta) x'' + (I + m l^2) theta''
        = m g l sin(theta) - 2e-6 theta',

with M = 1, g = 9.81, in Runge-Kutta steps of fourth order of 0.01 s. f is the
force of the ends of the rail, at -1.8 and 1.8 m, which MuJoCo makes soft: see
`_rail_force`. `tests/environments/cartpole_swingup_test.py` compares all this
with dm_control.

An episode starts with the pole down and at rest but for normal noise of 0.01
in all four numbers, never terminates, and is truncated after 1000 steps.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp

from plasticity_rl.environments import base
from plasticity_rl.environments import control
from plasticity_rl.environments.spaces import Continuous
from plasticity_rl.errors import UserError
from plasticity_rl.types import Key

DT, EPISODE_FRAMES = 0.01, 1000
GEAR, RADIUS = 10.0, 0.045

# Ends of the rail: MuJoCo's solreflimit of the model and its default solimp.
RAIL = 1.8
_TIME_CONSTANT, _DAMPING_RATIO = 0.08, 1.0
_MIN_IMPEDANCE, _MAX_IMPEDANCE, _WIDTH = 0.9, 0.95, 0.001

# The pole counts as upright, and the cart as centred, in the sparse reward.
_UPRIGHT_COSINE, _CENTRE = 0.995, 0.25
# A Gaussian that is 0.1 at a distance of one.
_GAUSSIAN = math.log(0.1)


class Physics(NamedTuple):
  """Constants of the cart and the pole.

  Attributes:
    gravity: in m/s^2.
    length: the pole's, in m, between the centres of its caps.
    mass: the pole's, in kg.
    cart_mass: in kg.
    friction: viscous, of the cart on the rail, in N s/m. The hinge's, in
      N m s, changes by the same factor.
  """

  gravity: float = 9.81
  length: float = 1.0
  mass: float = 0.1
  cart_mass: float = 1.0
  friction: float = 5e-4


_HINGE_FRICTION_SHARE = 2e-6 / 5e-4


class State(NamedTuple):
  """Position in m, angle in rad, and their velocities a second, each `[]`."""

  position: jax.Array
  angle: jax.Array
  velocity: jax.Array
  angular_velocity: jax.Array


def make(sparse: bool = False, action_repeat: int = 1) -> control.System:
  """Swing-up of a pole on a cart, and keeping it there.

  Args:
    sparse: whether the reward is 1 where the pole is upright and the cart in
      the middle, and 0 elsewhere, instead of smooth.
    action_repeat: steps of 0.01 s for each decision, whose rewards are summed.

  Returns:
    The system, with one continuous action. Observations are the cart's
    position, the cosine and sine of the angle, and both velocities, as the
    suite's. A step gives at most 1, which makes at most 1000.

  Raises:
    UserError: `action_repeat` is not valid.
  """
  name = 'cartpole_swingup_sparse' if sparse else 'cartpole_swingup'
  if (
    type(action_repeat) is not int
    or action_repeat < 1
    or EPISODE_FRAMES % action_repeat
  ):
    raise UserError(
      f'{name}: action_repeat must be a divisor of the {EPISODE_FRAMES} steps '
      f'of an episode, such as 1, 2, 4, 5, 8, 10: {action_repeat!r}'
    )

  def start(key: Key) -> State:
    noise = 0.01 * jax.random.normal(key, [4])
    return State(noise[0], jnp.pi + noise[1], noise[2], noise[3])

  def observe(state: State) -> jax.Array:
    return jnp.stack(
      [
        state.position,
        jnp.cos(state.angle),
        jnp.sin(state.angle),
        state.velocity,
        state.angular_velocity,
      ]
    ).astype(jnp.float32)

  def advance(
    physics: Physics, state: State, action: jax.Array
  ) -> tuple[State, jax.Array, jax.Array]:
    push = jnp.clip(action[0], -1, 1)
    y, total = jnp.stack(state), jnp.zeros((), push.dtype)
    for _ in range(action_repeat):
      y = control.runge_kutta(lambda y: _derivative(physics, y, push), y, DT)
      total += _reward(State(*y), push, sparse)
    return State(*y), total, jnp.array(False)

  return control.System(
    name=name,
    observation_shape=(5,),
    actions=Continuous(1),
    return_range=(0.0, 1000.0),
    range_frames=EPISODE_FRAMES,
    physics=Physics(),
    start=start,
    observe=observe,
    advance=advance,
    frames_per_step=action_repeat,
    max_frames=EPISODE_FRAMES,
    shortest_episode=base.ENDLESS,
  )


def _derivative(physics, y, push):
  """Velocities and accelerations, `[4]`, of positions and velocities."""
  position, angle, velocity, angular_velocity = y
  sin, cos = jnp.sin(angle), jnp.cos(angle)
  total, moment, inertia = _inertias(physics)
  cart = (
    GEAR * push
    - physics.friction * velocity
    + moment * sin * angular_velocity**2
  )
  hinge = (
    moment * physics.gravity * sin
    - _HINGE_FRICTION_SHARE * physics.friction * angular_velocity
  )
  determinant = total * inertia - (moment * cos) ** 2
  free = (inertia * cart - moment * cos * hinge) / determinant
  upright = inertia / (total * inertia - moment**2)
  force = _rail_force(position, velocity, free, inertia / determinant, upright)
  cart += force
  return jnp.stack(
    [
      velocity,
      angular_velocity,
      (inertia * cart - moment * cos * hinge) / determinant,
      (total * hinge - moment * cos * cart) / determinant,
    ]
  )


def _inertias(physics):
  """Total mass, m l, and the pole's moment of inertia about the hinge."""
  length, mass = physics.length, physics.mass
  # A cylinder and two half spheres of one density.
  spheres = mass * (4 * RADIUS / 3) / (length + 4 * RADIUS / 3)
  cylinder = mass - spheres
  inertia = (
    cylinder * (3 * RADIUS**2 + length**2) / 12
    + spheres * 2 / 5 * RADIUS**2
    + spheres * length * (3 * RADIUS + 2 * length) / 8
  )
  half = length / 2
  return (
    physics.cart_mass + mass,
    mass * half,
    inertia + mass * half**2,
  )


def _rail_force(position, velocity, free, inverse_mass, nominal_inverse_mass):
  """The force of the ends of the rail on the cart, in N.

  MuJoCo's soft constraint, solved in closed form, since only one end can be
  active: see "Computation: constraint model" in its documentation.

  Args:
    position: of the cart, in m.
    velocity: of the cart, in m/s.
    free: the cart's acceleration without this force.
    inverse_mass: acceleration of the cart for a force of 1 N.
    nominal_inverse_mass: the same with the pole upright, from which MuJoCo
      computes how soft the constraint is.

  Returns:
    The force, towards the middle.
  """
  side = jnp.where(position > 0, -1.0, 1.0)  # Towards the middle.
  distance = RAIL - jnp.abs(position)
  place = jnp.minimum(jnp.abs(distance) / _WIDTH, 1)
  curve = jnp.where(place <= 0.5, 2 * place**2, 1 - 2 * (1 - place) ** 2)
  impedance = _MIN_IMPEDANCE + curve * (_MAX_IMPEDANCE - _MIN_IMPEDANCE)
  stiffness = 1 / (_MAX_IMPEDANCE * _TIME_CONSTANT * _DAMPING_RATIO) ** 2
  damping = 2 / (_MAX_IMPEDANCE * _TIME_CONSTANT)
  wanted = -damping * side * velocity - stiffness * impedance * distance
  softness = (1 - impedance) / impedance * nominal_inverse_mass
  force = (wanted - side * free) / (inverse_mass + softness)
  return side * jnp.where(distance < 0, jnp.maximum(force, 0), 0)


def _reward(state, push, sparse):
  """The suite's reward after a step."""
  cosine = jnp.cos(state.angle)
  if sparse:
    centred = jnp.abs(state.position) <= _CENTRE
    return jnp.where(centred & (cosine >= _UPRIGHT_COSINE), 1.0, 0.0)
  upright = (cosine + 1) / 2
  centred = (1 + jnp.exp(_GAUSSIAN * (state.position / 2) ** 2)) / 2
  small_push = (4 + 1 - push**2) / 5
  slow = (1 + jnp.exp(_GAUSSIAN * (state.angular_velocity / 5) ** 2)) / 2
  return upright * small_push * slow * centred
