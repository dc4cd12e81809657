"""What fits into memory."""

import pytest

from plasticity_rl.errors import UserError
from plasticity_rl.replay import memory


def test_what_would_fit_does():
  numbers = {'transition': 10.5, 'fixed': 100, 'multiple': 4}
  with pytest.raises(UserError, match='; 84 transitions would fit, or less'):
    memory.check(88, 1000, hint=', or less', **numbers)
  memory.check(84, 1000, **numbers)


def test_without_memory_nothing_fits():
  with pytest.raises(UserError, match='; 0 transitions would fit'):
    memory.check(1, 50, transition=1.0, fixed=100)


def test_a_share_is_left_to_others():
  assert memory.of_device(1000) == 900
  assert 0 < memory.of_host() < 2**50
