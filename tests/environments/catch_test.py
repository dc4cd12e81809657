"""Catch by hand, by the best player, and by one that plays at random."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from plasticity_rl.environments import base
from plasticity_rl.environments import catch
from plasticity_rl.errors import UserError

KEY = jax.random.PRNGKey(0)


def start_at(env, ball_column):
  """The state after a reset, with the ball where the test wants it."""
  state, _ = env.reset(KEY, env.init(KEY))
  return state._replace(ball_column=jnp.array(ball_column, jnp.int32))


def test_hand_played_episode():
  env = catch.make(rows=4, columns=3)
  state = start_at(env, ball_column=2)
  boards, rewards, discounts, types = [], [], [], []
  for action in (0, 0, 2):  # To the wall, against it, back to the middle.
    state, timestep = env.step(KEY, state, action)
    boards.append(timestep.observation.astype(int).tolist())
    rewards.append(float(timestep.reward))
    discounts.append(float(timestep.discount))
    types.append(int(timestep.step_type))
  assert boards == [
    [[0, 0, 0], [0, 0, 1], [0, 0, 0], [1, 0, 0]],
    [[0, 0, 0], [0, 0, 0], [0, 0, 1], [1, 0, 0]],
    [[0, 0, 0], [0, 0, 0], [0, 0, 0], [0, 1, 1]],
  ]
  assert rewards == [0, 0, -1]
  assert discounts == [1, 1, 0]
  assert types == [base.MID, base.MID, base.LAST]


def test_reset_is_bsuites():
  env = catch.make()
  keys = jax.random.split(KEY, 500)
  _, timestep = jax.vmap(lambda key: env.reset(key, None))(keys)
  boards = np.asarray(timestep.observation)
  assert boards.shape == (500, 10, 5) and boards.dtype == bool
  assert (boards.sum(axis=(1, 2)) == 2).all()
  assert (boards[:, 9, 2]).all()  # The paddle, in the middle.
  columns = boards[:, 0].sum(axis=0)
  assert columns.min() > 70  # 100 each; 30 is more than three deviations.
  assert (np.asarray(timestep.reward) == 0).all()
  assert (np.asarray(timestep.discount) == 1).all()
  assert (np.asarray(timestep.step_type) == base.FIRST).all()


@functools.partial(jax.jit, static_argnums=(0, 1, 3))
def play(env, policy, key, episodes):
  """Plays whole episodes. Returns rewards and types `[episodes, rows - 1]`."""

  def episode(key):
    keys = jax.random.split(key, env.observation_shape[0])
    state, timestep = env.reset(keys[0], None)

    def one(carry, key):
      state, timestep = carry
      state, timestep = env.step(key, state, policy(key, timestep.observation))
      return (state, timestep), (timestep.reward, timestep.step_type)

    return jax.lax.scan(one, (state, timestep), keys[1:])[1]

  return jax.vmap(episode)(jax.random.split(key, episodes))


def best(key, observation):
  """Moves the paddle towards the ball, from what is seen alone."""
  del key
  ball = jnp.argmax(observation[:-1].any(axis=0))
  paddle = jnp.argmax(observation[-1])
  return jnp.sign(ball - paddle) + 1


def at_random(key, observation):
  del observation
  return jax.random.randint(key, (), 0, 3)


def test_best_player_always_catches():
  rewards, types = play(catch.make(), best, KEY, 200)
  np.testing.assert_array_equal(rewards[:, -1], np.ones(200))
  np.testing.assert_array_equal(rewards[:, :-1], np.zeros((200, 8)))
  assert (np.asarray(types[:, -1]) == base.LAST).all()
  assert (np.asarray(types[:, :-1]) == base.MID).all()


def test_random_player_gets_what_it_must():
  # The paddle's column is independent of the ball's, which is uniform, so it is
  # right once in five whatever it does: 1/5 - 4/5.
  rewards, _ = play(catch.make(), at_random, KEY, 4000)
  assert abs(np.mean(rewards[:, -1]) + 0.6) < 0.04  # Three standard errors.


def test_bad_input():
  with pytest.raises(UserError, match='rows must be an integer of 2 or more'):
    catch.make(rows=1)
  with pytest.raises(UserError, match='columns must be an integer of 1'):
    catch.make(columns=0)
  with pytest.raises(UserError, match='not five'):
    catch.make(columns='five')
