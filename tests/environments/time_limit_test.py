"""A truncation is not a termination, also where both could be."""

import jax
import pytest

from plasticity_rl.environments import base
from plasticity_rl.environments import catch
from plasticity_rl.environments import continual
from plasticity_rl.environments import time_limit
from plasticity_rl.errors import UserError

KEY = jax.random.PRNGKey(0)


def endings(limit, steps):
  """`(step type, discount)` of each step of a Catch that lasts 3 steps."""
  env = time_limit.time_limit(catch.make(rows=4, columns=3), limit)
  state, _ = env.reset(KEY, env.init(KEY))
  result = []
  for _ in range(steps):
    state, timestep = env.step(KEY, state, 1)
    result.append((int(timestep.step_type), float(timestep.discount)))
  return result


def test_truncation_keeps_the_discount():
  assert endings(2, 2) == [(base.MID, 1), (base.LAST, 1)]


def test_termination_at_the_limit_is_a_termination():
  assert endings(3, 3) == [(base.MID, 1), (base.MID, 1), (base.LAST, 0)]


def test_termination_before_the_limit():
  assert endings(4, 3) == [(base.MID, 1), (base.MID, 1), (base.LAST, 0)]


def test_reset_restarts_the_count():
  env = time_limit.time_limit(catch.make(), 2)
  state, _ = env.reset(KEY, env.init(KEY))
  for _ in range(2):
    types = []
    for _ in range(2):
      state, timestep = env.step(KEY, state, 1)
      types.append(int(timestep.step_type))
    assert types == [base.MID, base.LAST]
    state, timestep = env.reset(KEY, state)
    assert timestep.step_type == base.FIRST


def test_passes_a_switch_on():
  assert time_limit.time_limit(catch.make(), 2).switch is None
  env = time_limit.time_limit(
    continual.continual(catch.make(), 'inputs', False), 2
  )
  state, _ = env.reset(KEY, env.init(KEY))
  switched = env.switch(jax.random.PRNGKey(1), state)
  assert (switched.inner.inputs != state.inner.inputs).any()


@pytest.mark.parametrize('limit', [0, -1, 2.5])
def test_bad_input(limit):
  with pytest.raises(UserError, match='max_episode_steps must be an integer'):
    time_limit.time_limit(catch.make(), limit)
