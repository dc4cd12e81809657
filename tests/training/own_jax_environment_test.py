"""A user's environment in JAX inside the compiled loop."""

import json

import numpy as np
import pytest

from configs import own_environment
from configs import own_jax_environment
from plasticity_rl import settings as settings_lib
from plasticity_rl.environments import registry
from plasticity_rl.errors import UserError
from plasticity_rl.training import experiment as experiment_lib
from tests.training import small

STAND_INS = 'jax:tests.environments.jax_stand_ins'


def settings(agent='dqn', name='with_params', **changes):
  """Two seeds of two environments, of the kind of gymnax."""
  config = settings_lib.default_config(agent, f'{STAND_INS}:{name}')
  small.shorten(config)
  config.environment.return_range = (-1.0, 1.0)
  config.update_from_flattened_dict(changes)
  return settings_lib.resolve(config)


def sac():
  """SAC on one of the kind of brax, whose state is a nest of dicts."""
  return settings(
    'sac',
    'LimitedBraxLine',
    **{'agent.random_steps': 24, 'network.hidden': (8, 8)},
  )


def drq():
  """DrQ on pictures, of the kind of gymnax."""
  return settings(
    'drq',
    'PictureLine',
    **{
      'agent.random_steps': 24,
      'agent.shift': 1,
      'network.convolutions': ((4, 3, 2),),
      'replay.capacity': 64,
    },
  )


CASES = {'dqn': settings, 'sac': sac, 'drq': drq}


@pytest.fixture(name='case', scope='module', params=CASES)
def fixture_case(request, tmp_path_factory):
  """An experiment and its run of 80 steps."""
  experiment = small.build(CASES[request.param]())
  return experiment, small.run(
    experiment, tmp_path_factory.mktemp('own') / 'run'
  )


def test_seeds_differ_and_both_ends_are_stored(case):
  experiment, whole = case
  replay = small.saved(experiment, whole, 80).replay
  observations = np.asarray(replay.observations)
  assert (observations[0] != observations[1]).any()
  last = np.asarray(replay.last)
  assert last.any()
  # The limit of five steps ends most episodes, and values go on after it.
  assert (np.asarray(replay.discount_t)[last] == 1).any()


def test_resumed_it_is_the_run_that_never_stopped(case, tmp_path):
  experiment, whole = case
  small.check_resumed(experiment, whole, tmp_path / 'part')


@pytest.mark.slow
def test_the_control_arm_is_the_unforked_run(case, tmp_path):
  experiment, whole = case
  small.check_fork(experiment, whole, tmp_path)


def test_the_config_comes_back():
  made = settings(
    **{
      'environment.arguments': (4, 2.0),
      'environment.parameters': (('stride', 0.5),),
    }
  )
  assert isinstance(made.environment, settings_lib.EnvironmentConfig)
  assert made.environment_options == {
    'arguments': (4, 2.0),
    'parameters': (('stride', 0.5),),
    'return_range': (-1.0, 1.0),
  }
  tree = json.loads(json.dumps(settings_lib.to_dict(made)))
  assert settings_lib.resolve(tree) == made


def test_the_config_has_the_options_of_the_name():
  section = settings_lib.default_config('dqn', 'gymnax:make').environment
  assert set(registry.OWN_OPTIONS) < set(section)
  assert 'overlap' not in section  # Of environments on the host.


@pytest.mark.parametrize(
  'config, name, key',
  [
    (own_environment, 'gymnax:make', 'action_repeat'),
    (own_jax_environment, 'mine:make', 'gradual'),
    (own_jax_environment, 'catch', 'arguments'),
  ],
)
def test_a_config_for_environments_elsewhere_is_refused(config, name, key):
  made = config.get_config()
  made.environment.name = name
  said = f"is not made for '{name}': it has environment.{key}"
  with pytest.raises(UserError, match=said):
    settings_lib.resolve(made)


@pytest.mark.parametrize(
  'key, value, said',
  [
    ('parameters', ('stride',), r"must hold pairs \(name, value\): 'stride'"),
    ('parameters', ((1, 2),), r'must hold pairs \(name, value\): \(1, 2\)'),
    ('return_range', (1, 0), r'must be \(lowest, highest\)'),
    ('arguments', (float('nan'),), 'must be a finite number'),
    ('max_episode_steps', -1, 'max_episode_steps must be at least 0'),
    ('vary', ('length',), 'has no physics that could vary'),
  ],
)
def test_options_are_looked_at_when_the_config_is_read(key, value, said):
  with pytest.raises(UserError, match=said):
    settings(**{f'environment.{key}': value})


def test_the_config_to_start_from():
  for agent in ('', 'sac', 'drq'):
    made = own_jax_environment.get_config(agent)
    made.environment.name = f'{STAND_INS}:Line'
    assert settings_lib.resolve(made).agent.name == (agent or 'dqn')


@pytest.mark.parametrize(
  'agent, name, said',
  [
    ('dqn', 'BoxLine', "'dqn'.*continuous actions of size 1; what can: sac"),
    ('sac', 'Line', "'sac'.*2 discrete actions; what can: dqn"),
    ('sac', 'PictureLine', r"'sac'.*\(12, 12, 2\).*what can: drq"),
    ('drq', 'BoxLine', r"'drq'.*\(2,\).*what can: sac"),
  ],
)
def test_an_agent_for_other_actions_is_refused(agent, name, said):
  with pytest.raises(UserError, match=said):
    experiment_lib.build(settings(agent, name))


def test_what_is_no_environment_is_refused_before_anything_is_computed():
  with pytest.raises(UserError, match='lacks the method'):
    experiment_lib.build(
      settings('dqn', 'odd', **{'environment.arguments': ('unwritten',)})
    )
