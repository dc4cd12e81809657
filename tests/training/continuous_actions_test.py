"""Continuous actions inside the compiled loop."""

import jax
import numpy as np
import pytest

from plasticity_rl import settings as settings_lib
from plasticity_rl.errors import UserError
from plasticity_rl.training import experiment as experiment_lib
from tests.training import small

RANDOM_STEPS = 24


def sac(**changes):
  """SAC on Pendulum, two seeds of two environments."""
  config = settings_lib.default_config('sac', 'pendulum')
  small.shorten(config)
  config.environment.max_episode_steps = 7
  config.agent.random_steps = RANDOM_STEPS
  config.network.hidden = (8, 8)
  config.update_from_flattened_dict(changes)
  return settings_lib.resolve(config)


@pytest.fixture(name='experiment', scope='module')
def fixture_experiment():
  return small.build(sac())


@pytest.fixture(name='whole', scope='module')
def fixture_whole(experiment, tmp_path_factory):
  return small.run(experiment, tmp_path_factory.mktemp('sac') / 'run')


def test_actions_are_stored_as_they_are(experiment, whole):
  replay = small.saved(experiment, whole, 80).replay
  # Seeds, rows, environments, and the size of an action.
  assert replay.a_tm1.shape == (2, 16, 2, 1)
  assert replay.a_tm1.dtype == np.float32
  actions = np.asarray(replay.a_tm1).ravel()
  assert len(np.unique(actions)) == actions.size
  assert np.abs(actions).max() <= 1
  # The limit alone ends an episode of Pendulum: values go on after it.
  assert np.asarray(replay.last).any()
  np.testing.assert_array_equal(replay.discount_t, 1)


def test_the_first_actions_are_uniform(experiment):
  """Before the networks are asked: other networks act alike."""
  state = experiment.init()
  segment = experiment.trainer.segment
  taken = []
  for scale in (1, 50):
    nets = jax.tree.map(lambda x, s=scale: s * x, state.nets)
    after = segment(jax.tree.map(np.array, state._replace(nets=nets)))[0]
    # Two rows of RANDOM_STEPS are in the ring of 16; a segment has ten.
    taken.append(np.asarray(after.replay.a_tm1[:, :10]))
  np.testing.assert_array_equal(*taken)
  assert np.abs(taken[0]).max() > 0.5


@pytest.mark.slow
def test_resumed_it_is_the_run_that_never_stopped(experiment, whole, tmp_path):
  small.check_resumed(experiment, whole, tmp_path / 'part')


@pytest.mark.slow
def test_the_control_arm_is_the_unforked_run(experiment, whole, tmp_path):
  small.check_fork(experiment, whole, tmp_path)


def test_an_action_repeat_counts_in_frames():
  """In what metrics.csv says, and in the range of an evaluation that is cut."""
  config = settings_lib.default_config('sac', 'cartpole_swingup')
  small.shorten(config)
  config.environment.action_repeat = 5
  config.network.hidden = (8, 8)
  built = small.build(settings_lib.resolve(config))
  assert built.trainer.frames_per_step == 5
  assert config.evaluation.max_steps == 5
  assert built.trainer.return_range == (0, 25)


@pytest.mark.parametrize(
  'agent, environment, said',
  [
    ('dqn', 'pendulum', "'dqn'.*continuous actions of size 1.*what can: sac"),
    ('drq', 'pendulum', "'drq'.*what can: sac"),
    ('sac', 'catch', "'sac'.*3 discrete actions.*what can: dqn"),
  ],
)
def test_an_agent_for_other_actions_is_refused(agent, environment, said):
  config = settings_lib.default_config(agent, environment)
  config.network.convolutions = ()
  with pytest.raises(UserError, match=said):
    experiment_lib.build(settings_lib.resolve(config))


def test_permuted_continuous_actions_are_refused():
  settings = sac(
    **{
      'environment.permute_actions': True,
      'environment.switch_every_steps': 40,
    }
  )
  with pytest.raises(UserError, match='permute_actions is for discrete'):
    experiment_lib.build(settings)
