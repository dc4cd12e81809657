"""Mountain car, discrete and continuous, is Gymnasium's."""

import numpy as np
import pytest

from plasticity_rl.environments import mountain_car
from tests.environments import against_gymnasium

CASES = [
  ('mountain_car', 'MountainCar-v0'),
  ('mountain_car_continuous', 'MountainCarContinuous-v0'),
]


def along(observation, action):
  """Pushes in the direction of travel, which leaves the valley."""
  forward = observation[1] >= 0
  if np.ndim(action):
    return np.float32([1.0 if forward else -1.0])
  return 2 if forward else 0


@pytest.mark.parametrize('every_step', [True, False])
@pytest.mark.parametrize('name, gymnasium_name', CASES)
def test_equals_gymnasium(name, gymnasium_name, every_step):
  ends = against_gymnasium.compare(
    name,
    gymnasium_name,
    mountain_car.State,
    episodes=2,
    every_step=every_step,
  )
  assert ends == [(False, True)] * 2


@pytest.mark.parametrize('every_step', [True, False])
@pytest.mark.parametrize('name, gymnasium_name', CASES)
def test_leaving_the_valley_terminates(name, gymnasium_name, every_step):
  """On the way the car hits the left end."""
  ends = against_gymnasium.compare(
    name,
    gymnasium_name,
    mountain_car.State,
    policy=along,
    every_step=every_step,
  )
  assert ends == [(True, False)] * 3


def test_starts():
  position, velocity = against_gymnasium.starts('mountain_car').T
  assert -0.6 <= position.min() < -0.599
  assert -0.401 < position.max() <= -0.4
  assert (velocity == 0).all()
