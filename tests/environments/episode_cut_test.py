import pytest

from plasticity_rl.environments import episode_cut


def test_a_cut_leaves_a_share_of_the_range():
  assert episode_cut.return_range((-20.0, 60.0), 2500, 1000) == (-8.0, 24.0)
  assert episode_cut.return_range((0.0, 60.0), 2500, 1) == (0.0, 0.024)


@pytest.mark.parametrize('range_frames', [0, 900, 1000])
def test_an_episode_that_is_long_enough_has_all_of_it(range_frames):
  found = episode_cut.return_range((-1.0, 5.0), range_frames, 1000)
  assert found == (-1.0, 5.0)
