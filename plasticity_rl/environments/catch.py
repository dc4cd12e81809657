"""Catch: a ball falls, and a paddle at the bottom has to be under it.

The rules are those of bsuite's Catch (Osband et al., 2020, "Behaviour Suite for
Reinforcement Learning"): the ball starts in the top row, in a column drawn
uniformly; the paddle starts in the middle of the bottom row. Actions 0, 1, 2
move the paddle left, not at all, right (it stays within the board), then the
ball falls by one row. When it reaches the bottom row, `rows - 1` steps after
the reset, the episode terminates with a reward of +1 if the paddle is there and
-1 if not; other rewards are zero. One difference: observations are boolean, not
float32, to store them in a byte.
"""

from typing import NamedTuple

import dm_env
import jax
import jax.numpy as jnp

from plasticity_rl.environments import base
from plasticity_rl.environments.spaces import Discrete
from plasticity_rl.errors import UserError
from plasticity_rl.types import Key


class State(NamedTuple):
  """Columns of ball and paddle, and the ball's row; each int32 `[]`."""

  ball_row: jax.Array
  ball_column: jax.Array
  paddle_column: jax.Array


def make(rows: int = 10, columns: int = 5) -> base.Environment:
  """Catch on a board of `rows` by `columns`.

  Args:
    rows: height, at least 2; an episode takes `rows - 1` steps.
    columns: width, at least 1.

  Returns:
    The environment; observations are boolean `[rows, columns]`, true at the
    ball and at the paddle. The return is -1 or +1 by the rules.

  Raises:
    UserError: `rows` or `columns` is not an integer, or is too small.
  """
  if not isinstance(rows, int) or rows < 2:
    raise UserError(f'catch: rows must be an integer of 2 or more, not {rows}')
  if not isinstance(columns, int) or columns < 1:
    raise UserError(
      f'catch: columns must be an integer of 1 or more, not {columns}'
    )

  def observe(state: State) -> jax.Array:
    board = jnp.zeros((rows, columns), jnp.bool_)
    board = board.at[state.ball_row, state.ball_column].set(True)
    return board.at[rows - 1, state.paddle_column].set(True)

  def init(key: Key) -> State:
    return State(
      ball_row=jnp.array(0, jnp.int32),
      ball_column=jax.random.randint(key, (), 0, columns, jnp.int32),
      paddle_column=jnp.array(columns // 2, jnp.int32),
    )

  def reset(key: Key, state: State) -> tuple[State, dm_env.TimeStep]:
    del state  # Episodes have nothing in common.
    state = init(key)
    return state, base.restart(observe(state))

  def step(
    key: Key, state: State, action: jax.Array
  ) -> tuple[State, dm_env.TimeStep]:
    del key  # Nothing random happens within an episode.
    move = jnp.asarray(action, jnp.int32) - 1
    state = State(
      ball_row=jnp.minimum(state.ball_row + 1, rows - 1),
      ball_column=state.ball_column,
      paddle_column=jnp.clip(state.paddle_column + move, 0, columns - 1),
    )
    landed = state.ball_row == rows - 1
    caught = state.ball_column == state.paddle_column
    reward = jnp.where(landed, jnp.where(caught, 1.0, -1.0), 0.0)
    return state, base.transition(reward, landed, observe(state))

  return base.Environment(
    name='catch',
    observation_shape=(rows, columns),
    observation_dtype=jnp.bool_,
    actions=Discrete(3),
    return_range=(-1.0, 1.0),
    shortest_episode=rows - 1,
    init=init,
    reset=reset,
    step=step,
  )
