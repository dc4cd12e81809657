"""Replay ratios as whole numbers; several updates as so many single ones."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from plasticity_rl import injection
from plasticity_rl import settings
from plasticity_rl.agents import dqn
from plasticity_rl.errors import UserError
from plasticity_rl.learner import learner
from plasticity_rl.networks import sequential
from plasticity_rl.types import NetSpec
from plasticity_rl.types import Transition

KEY = jax.random.PRNGKey(6)


@pytest.mark.parametrize(
  'ratio, steps_per_row, expected',
  (
    (1.0, 1, (1, 1)),
    (4.0, 1, (4, 1)),
    (0.25, 1, (1, 4)),
    (1 / 3, 1, (1, 3)),
    (0.25, 4, (1, 1)),
    (0.5, 8, (4, 1)),
    (0.125, 4, (1, 2)),
    (2.0, 3, (6, 1)),
  ),
)
def test_schedule(ratio, steps_per_row, expected):
  assert learner.update_schedule(ratio, steps_per_row) == expected


@pytest.mark.parametrize('ratio', (0.0, -1.0, float('nan'), float('inf')))
def test_ratio_that_is_none_is_refused(ratio):
  with pytest.raises(UserError, match='must be positive'):
    learner.update_schedule(ratio, 1)


@pytest.mark.parametrize(
  'ratio, steps_per_row', ((1.5, 1), (0.4, 1), (0.75, 1), (0.5, 3), (2.25, 2))
)
def test_ratio_of_no_whole_number_is_refused(ratio, steps_per_row):
  with pytest.raises(UserError, match='one over a whole number: '):
    learner.update_schedule(ratio, steps_per_row)


def test_updates_follow_the_last_row_of_a_period():
  due = [bool(learner.UpdateSchedule(1, 4).due(row)) for row in range(9)]
  assert [i for i, d in enumerate(due) if d] == [3, 7]
  assert learner.UpdateSchedule(5, 1).due(0)


@pytest.fixture(name='agent', scope='module')
def fixture_agent():
  network, layers = sequential.build(
    sequential.Sequential(
      observation_shape=(2,), hidden=(4,), num_outputs=2, split=1
    )
  )
  optimizer = injection.grouped(
    optax.scale_by_adam(),
    after=optax.scale_by_learning_rate(optax.linear_schedule(0.1, 0.0, 10)),
  )
  # A copy to the target falls amidst the updates of the test.
  return dqn.DQN(
    NetSpec(network, optimizer, layers, has_target=True),
    settings.DQNConfig(target_period_updates=2),
  )


def sample(key, i):
  del i
  keys = jax.random.split(key, 4)
  return Transition(
    jax.random.normal(keys[0], [3, 2]),
    jax.random.randint(keys[1], [3], 0, 2),
    jax.random.normal(keys[2], [3]),
    jnp.full([3], 0.9),
    jax.random.normal(keys[3], [3, 2]),
  )


def test_many_updates_are_as_many_single_ones(agent):
  many = jax.jit(lambda nets: learner.learn(KEY, agent, nets, {}, sample, 7, 3))
  single = jax.jit(
    lambda key, nets, n: learner.learn(key, agent, nets, {}, sample, n, 1)
  )
  start = jax.jit(agent.init)(KEY)
  at_once, _, metrics = many(start)
  nets, losses = start, []
  for i, key in enumerate(jax.random.split(KEY, 3)):
    nets, _, one = single(key, nets, 7 + i)
    losses.append(one['loss'])
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7),
    at_once,
    nets,
  )
  np.testing.assert_allclose(metrics['loss'], np.mean(losses), rtol=1e-5)
  # Each on a batch of its own, and the target was copied by the count.
  assert len(set(map(float, losses))) == 3
  assert not np.array_equal(
    at_once['q'].target['head']['dense_1']['w'],
    start['q'].target['head']['dense_1']['w'],
  )
