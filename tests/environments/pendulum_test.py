"""Pendulum is Gymnasium's."""

import jax.numpy as jnp
import numpy as np
import pytest

from plasticity_rl.environments import pendulum
from plasticity_rl.environments import registry
from tests.environments import against_gymnasium


@pytest.mark.parametrize('every_step', [True, False])
def test_equals_gymnasium(every_step):
  ends = against_gymnasium.compare(
    'pendulum', 'Pendulum-v1', pendulum.State, every_step=every_step
  )
  assert ends == [(False, True)] * 3


def test_starts():
  cos, sin, velocity = against_gymnasium.starts('pendulum').T
  np.testing.assert_allclose(cos**2 + sin**2, 1, rtol=1e-5)
  angle = np.arctan2(sin, cos) / np.pi
  for uniform in (angle, velocity):
    assert -1 <= uniform.min() < -0.99 and 0.99 < uniform.max() <= 1
    assert abs(uniform.mean()) < 0.05


def test_actions_are_clipped():
  env = registry.make('pendulum', max_episode_steps=0)
  state = pendulum.State(jnp.array(1.0), jnp.array(0.0))
  one, two = (env.step(None, state, jnp.array([a])) for a in (1.0, 2.0))
  np.testing.assert_array_equal(one[1].observation, two[1].observation)
  assert one[1].reward == two[1].reward
