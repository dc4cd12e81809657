"""Truncated and terminated steps, through the loops as they train."""

import jax.numpy as jnp
import numpy as np
import pytest

from plasticity_rl.training import experiment as experiment_lib
from tests.training import host_trainer_test as host
from tests.training import small


def device(**changes):
  """Catch of four rows: an episode terminates at its third step."""
  return small.dqn(
    **{
      'environment.permute': 'none',
      'environment.permute_actions': False,
      'environment.switch_every_steps': 0,
      'replay.clear_on_switch': False,
      'replay.capacity': 80,
      'replay.discount': 0.5,
      'diagnostics.probe_size': 200,
      **changes,
    }
  )


def trained(settings):
  experiment = experiment_lib.build(settings)
  state = experiment.init()
  for _ in range(2):
    state, _ = experiment.trainer.segment(state)
  return experiment, state


def sampled(experiment, state):
  keys = jnp.asarray(state.keys.event)
  return np.unique(experiment.trainer.sample(keys, state).discount_t).tolist()


@pytest.mark.parametrize('limit', [0, 2, 3])
def test_on_the_device(limit):
  experiment, state = trained(
    device(**{'environment.max_episode_steps': limit})
  )
  stored = np.asarray(state.replay.discount_t[:, :20])
  ends = np.asarray(state.replay.last[:, :20])
  length = limit or 3
  expected = np.arange(1, 21) % length == 0
  np.testing.assert_array_equal(
    ends, np.broadcast_to(expected[None, :, None], ends.shape)
  )
  if limit == 2:  # Bootstrapped through.
    assert (stored == 1).all()
    assert sampled(experiment, state) == [0.5]
  else:  # A termination at the limit is one.
    np.testing.assert_array_equal(stored, np.where(ends, 0, 1))
    assert sampled(experiment, state) == [0, 0.5]


@pytest.mark.parametrize('limit', [0, 2])
def test_on_the_host(limit):
  """Its episodes of its own are truncated after 30 steps."""
  settings = host.make(
    'tests.training.walks:Noted',
    **{
      'environment.max_episode_steps': limit,
      'replay.discount': 0.5,
      'diagnostics.probe_size': 200,
    },
  )
  experiment, state = trained(settings)
  columns = state.replay.by_seed[0]._columns
  assert (columns['discount_t'][:20] == 1).all()
  assert columns['last'][:20].sum() == (20 if limit else 0)
  assert sampled(experiment, state) == [0.5]
