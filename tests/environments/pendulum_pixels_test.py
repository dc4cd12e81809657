"""Pendulum's rules, and what its pictures show."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from plasticity_rl.environments import pendulum_pixels
from plasticity_rl.environments import registry
from plasticity_rl.errors import UserError

KEY = jax.random.PRNGKey(0)


def test_it_is_the_pendulum_with_its_last_pictures():
  theirs = registry.make('pendulum', max_episode_steps=4)
  ours = registry.make('pendulum_pixels', max_episode_steps=4, size=9)
  assert ours.observation_shape == (9, 9, 3)
  assert ours.return_range == theirs.return_range
  state, timestep = ours.reset(KEY, ours.init(KEY))
  other, _ = theirs.reset(KEY, theirs.init(KEY))
  newest = pendulum_pixels.draw(other.inner.theta, 9)
  seen = [newest] * 3
  for action in (1.0, -0.3, 0.5, 0.1):
    assert timestep.observation.dtype == jnp.uint8 == ours.observation_dtype
    np.testing.assert_array_equal(
      timestep.observation, np.stack(seen[-3:], axis=-1)
    )
    state, timestep = ours.step(KEY, state, jnp.array([action]))
    other, expected = theirs.step(KEY, other, jnp.array([action]))
    seen.append(pendulum_pixels.draw(other.inner.theta, 9))
    assert timestep.reward == expected.reward
    assert timestep.step_type == expected.step_type
    assert timestep.discount == expected.discount
  assert timestep.last()


def test_a_picture_by_hand():
  """Pixels of side 0.24: the pole fills a column of half width 0.08."""
  up = np.asarray(pendulum_pixels.draw(jnp.array(0.0), 10), int)
  # Centres at 0.12 from the pole: 1 - (0.12 - 0.08) / 0.24 = 5 / 6.
  assert set(up[1:5, 4:6].ravel()) == {int(255 * 5 / 6)}
  # The tip is 0.08 below the upper row's centres; the pivot, 0.12 above those
  # of row 5.
  for row, beyond in ((0, 0.08), (5, 0.12)):
    far = np.hypot(0.12, beyond)
    assert set(up[row, 4:6]) == {int(255 * (1 - (far - 0.08) / 0.24))}
  assert not up[:, :4].any() and not up[6:].any()
  down = pendulum_pixels.draw(jnp.array(np.pi), 10)
  np.testing.assert_allclose(down, up[::-1], atol=1)
  left = pendulum_pixels.draw(jnp.array(np.pi / 2), 10)
  np.testing.assert_allclose(left, up.T, atol=1)


def test_a_small_motion_is_seen():
  still, moved = (
    np.asarray(pendulum_pixels.draw(jnp.array(theta), 20), int)
    for theta in (0.5, 0.52)
  )
  assert np.abs(still - moved).max() > 5


@pytest.mark.parametrize('options', ({'size': 7}, {'stack_frames': 0}))
def test_too_small_is_refused(options):
  (name,) = options
  with pytest.raises(UserError, match=f'{name} must be at least'):
    registry.make('pendulum_pixels', **options)
