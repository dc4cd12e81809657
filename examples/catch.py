"""Catch whose pixels and actions are permuted anew for every task, in JAX."""

import jax
import jax.numpy as jnp

ROWS, COLUMNS, ACTIONS = 10, 5, 3
PIXELS, EPISODE = ROWS * COLUMNS, ROWS - 1


def permutations(number):
  """A task: the order of its pixels, and of its actions."""
  keys = jax.random.split(jax.random.fold_in(jax.random.key(0), number))
  return tuple(map(jax.random.permutation, keys, (PIXELS, ACTIONS)))


def reset(key, paddle=COLUMNS // 2):
  """A ball in the top row: row, column, and where the paddle is."""
  return jnp.stack([0, jax.random.randint(key, (), 0, COLUMNS), paddle])


def observe(ball, task):
  """The picture, its pixels in the order of the task."""
  picture = jnp.zeros(PIXELS).at[ball[0] * COLUMNS + ball[1]].set(1)
  return picture.at[PIXELS - COLUMNS + ball[2]].set(1)[task[0]]


def step(key, ball, action, task):
  """The ball falls by a row: it, the next one, the reward and the discount."""
  paddle = jnp.clip(ball[2] + task[1][action] - 1, 0, COLUMNS - 1)
  ball = jnp.stack([ball[0] + 1, ball[1], paddle])
  done = ball[0] == ROWS - 1
  reward = jnp.where(done, jnp.where(ball[1] == paddle, 1.0, -1.0), 0.0)
  following = jnp.where(done, reset(key, paddle), ball)
  return ball, following, reward, 0.99 * (1 - done)
