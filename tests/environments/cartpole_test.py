"""Cart-pole is Gymnasium's."""

import numpy as np
import pytest

from plasticity_rl.environments import cartpole
from tests.environments import against_gymnasium


def balance(observation, action):
  """Keeps the pole up until the time limit."""
  del action
  return int(observation @ np.array([0.2, 0.5, 3.0, 1.0]) > 0)


@pytest.mark.parametrize('every_step', [True, False])
def test_equals_gymnasium(every_step):
  ends = against_gymnasium.compare(
    'cartpole',
    'CartPole-v1',
    cartpole.State,
    episodes=20,
    every_step=every_step,
  )
  assert ends == [(True, False)] * 20


def test_the_limit_truncates():
  ends = against_gymnasium.compare(
    'cartpole', 'CartPole-v1', cartpole.State, episodes=1, policy=balance
  )
  assert ends == [(False, True)]


def lean(observation, action):
  """Keeps the pole leaning, so that the cart goes faster and faster."""
  del action
  return int(observation @ np.array([0, 0, 3.0, 1.0]) > 0.15)


def test_ends_where_the_cart_leaves():
  last = []

  def policy(observation, action):
    last.append(observation)
    return lean(observation, action)

  ends = against_gymnasium.compare(
    'cartpole', 'CartPole-v1', cartpole.State, episodes=1, policy=policy
  )
  assert ends == [(True, False)]
  assert last[-1][0] > 2.3 and abs(last[-1][2]) < 0.15


def test_starts():
  starts = against_gymnasium.starts('cartpole')
  assert np.abs(starts).max() <= 0.05
  assert (starts.min(0) < -0.049).all() and (starts.max(0) > 0.049).all()
