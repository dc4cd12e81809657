"""Acrobot is Gymnasium's."""

import numpy as np
import pytest

from plasticity_rl.environments import acrobot
from tests.environments import against_gymnasium


def swing(observation, action):
  """Pushes the second link the way it goes, which adds energy."""
  del action
  return 2 if observation[5] > 0 else 0


@pytest.mark.parametrize('every_step', [True, False])
def test_equals_gymnasium(every_step):
  ends = against_gymnasium.compare(
    'acrobot', 'Acrobot-v1', acrobot.State, episodes=2, every_step=every_step
  )
  assert ends == [(False, True)] * 2


@pytest.mark.parametrize('every_step', [True, False])
def test_reaching_the_height_terminates(every_step):
  ends = against_gymnasium.compare(
    'acrobot',
    'Acrobot-v1',
    acrobot.State,
    policy=swing,
    every_step=every_step,
  )
  assert ends == [(True, False)] * 3


def test_starts():
  cos_1, sin_1, cos_2, sin_2, *velocities = against_gymnasium.starts(
    'acrobot'
  ).T
  angles = np.arctan2(sin_1, cos_1), np.arctan2(sin_2, cos_2)
  for uniform in (*angles, *velocities):
    assert -0.1001 <= uniform.min() < -0.099
    assert 0.099 < uniform.max() <= 0.1001
