"""Pendulum seen as pictures: the pole as a line, recent frames on channels.

The rules are those of `pendulum`; only observations differ. A pixel at p, in a
square of side 2.4 pole lengths around the pivot, has the value

    255 clip(1 - (d(p) - w) / s, 0, 1)        rounded down,

where d is its distance from the pole, w = 0.08 half the pole's width and s the
side of a pixel, so that edges are smooth and small motions are seen. Nothing is
drawn by a library: a picture is a few array operations, which the compiler
takes into the training loop.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from plasticity_rl.environments import control
from plasticity_rl.environments import pendulum
from plasticity_rl.errors import UserError
from plasticity_rl.types import Key

_SIDE, _HALF_WIDTH = 2.4, 0.08  # In pole lengths.


class State(NamedTuple):
  """The last K states of the pendulum, `[K]` each, the newest last."""

  recent: pendulum.State


def make(size: int = 20, stack_frames: int = 3) -> control.System:
  """Pendulum from pictures.

  The pole is drawn with the same length whatever its physics are.

  Args:
    size: height and width of a picture, at least 8.
    stack_frames: K, the pictures seen at once, newest last. An episode begins
      with K equal ones. A single one does not show the velocity.

  Returns:
    The system; observations are uint8 `[size, size, K]`.

  Raises:
    UserError: a number is too small.
  """
  if size < 8:
    raise UserError(f'pendulum_pixels: size must be at least 8: {size}')
  if stack_frames < 1:
    raise UserError(
      f'pendulum_pixels: stack_frames must be at least 1: {stack_frames}'
    )
  system = pendulum.make()

  def start(key: Key) -> State:
    return State(
      jax.tree.map(
        lambda x: jnp.broadcast_to(x, (stack_frames,)), system.start(key)
      )
    )

  def observe(state: State) -> jax.Array:
    return jax.vmap(lambda theta: draw(theta, size), out_axes=-1)(
      state.recent.theta
    )

  def advance(
    physics: pendulum.Physics, state: State, action: jax.Array
  ) -> tuple[State, jax.Array, jax.Array]:
    now = jax.tree.map(lambda x: x[-1], state.recent)
    after, reward, terminated = system.advance(physics, now, action)
    recent = jax.tree.map(
      lambda old, new: jnp.append(old[1:], new), state.recent, after
    )
    return State(recent), reward, terminated

  return system._replace(
    name='pendulum_pixels',
    observation_shape=(size, size, stack_frames),
    observation_dtype=jnp.uint8,
    start=start,
    observe=observe,
    advance=advance,
  )


def draw(theta: jax.Array, size: int) -> jax.Array:
  """A picture of the pole at an angle.

  Args:
    theta: rad, `[]`, with 0 upright; positive angles lean to the left.
    size: height and width.

  Returns:
    uint8 `[size, size]`, the upper row first.
  """
  side = _SIDE / size
  centres = (np.arange(size) + 0.5) * side - _SIDE / 2
  x, y = jnp.float32(centres)[None, :], -jnp.float32(centres)[:, None]
  tip_x, tip_y = -jnp.sin(theta), jnp.cos(theta)
  # The nearest point of the pole, as a share of its length of one.
  along = jnp.clip(x * tip_x + y * tip_y, 0, 1)
  distance = jnp.hypot(x - along * tip_x, y - along * tip_y)
  bright = jnp.clip(1 - (distance - _HALF_WIDTH) / side, 0, 1)
  return (255 * bright).astype(jnp.uint8)
