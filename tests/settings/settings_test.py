"""Configs: every mistake is found by its path, and what is right comes back."""

import dataclasses
import importlib
import json
import pathlib
import subprocess
import sys

import pytest

from configs import drq_dmc
from plasticity_rl import settings as settings_lib
from plasticity_rl.errors import UserError
from plasticity_rl.settings import config as config_lib

CONFIGS = (
  {
    ('dqn', name): settings_lib.default_config('dqn', name)
    for name in ('catch', 'minatar_breakout')
  }
  | {
    ('supervised', 'random_labels'): settings_lib.default_config(
      'supervised', 'random_labels'
    )
  }
  | {
    (agent, 'catch'): settings_lib.default_config(agent, 'catch')
    for agent in ('sac', 'drq')
  }
)


@pytest.mark.parametrize('key', CONFIGS, ids='-'.join)
def test_defaults_resolve_and_come_back(key):
  config = CONFIGS[key]
  settings = settings_lib.resolve(config)
  assert (settings.agent.name, settings.environment.name) == key
  tree = settings_lib.to_dict(settings)
  assert tree == config.to_dict()
  # Through a file, where tuples are lists.
  again = settings_lib.resolve(json.loads(json.dumps(tree)))
  assert again == settings


def test_what_only_one_game_has_is_an_option():
  settings = settings_lib.resolve(CONFIGS['dqn', 'catch'])
  assert settings.environment_options == {'rows': 10, 'columns': 5}
  settings = settings_lib.resolve(CONFIGS['dqn', 'minatar_breakout'])
  assert settings.environment_options == {'sticky_action_prob': 0.1}


def catch(**changes):
  """Continual Catch as a plain dict, with changes by dotted key."""
  config = settings_lib.default_config('dqn', 'catch')
  tree = config.to_dict()
  for key, value in changes.items():
    *sections, last = key.split('.')
    section = tree
    for name in sections:
      section = section[name]
    section[last] = value
  return tree


@pytest.mark.parametrize(
  'key, value, message',
  (
    ('num_sedes', 3, "in config 'num_sedes'; did you mean 'num_seeds'"),
    ('network.hiden', (3,), "in network 'hiden'; did you mean 'hidden'"),
    ('environment.row', 3, "in environment 'row'; did you mean 'rows'"),
    ('agent.name', 'dqnn', "'dqnn'; did you mean 'dqn'"),
    ('environment.name', 'cath', "'cath'; did you mean 'catch'"),
    ('environment.name', 'random_labels', 'unknown environment'),
    ('agent.loss', 'hubert', "agent.loss 'hubert'; did you mean 'huber'"),
    ('optimizer.name', 'adamax', "did you mean 'adam'"),
    ('network.precision', 'float16', "did you mean 'bfloat16'"),
    ('environment.permute', 'input', "did you mean 'inputs'"),
  ),
)
def test_unknown_names_are_refused_with_the_nearest(key, value, message):
  with pytest.raises(UserError, match='unknown') as caught:
    settings_lib.resolve(catch(**{key: value}))
  assert message in str(caught.value)
  assert '\n' not in str(caught.value)


@pytest.mark.parametrize(
  'key, value, message',
  (
    ('num_seeds', 1.0, 'must be of type int: 1.0'),
    ('num_seeds', True, 'must be of type int: True'),
    ('num_seeds', '3', "must be of type int: '3'"),
    ('num_seeds', None, 'must be of type int: None'),
    ('agent.double', 1, 'must be of type bool: 1'),
    ('optimizer.learning_rate', '1e-3', 'must be of type float'),
    ('network.hidden', 64, 'must be a tuple: 64'),
    ('network.hidden', '64', 'must be a tuple'),
    ('network', 3, 'must be a section of keys'),
    ('fork.metric', 3, 'must be of type str'),
  ),
)
def test_wrong_types_are_refused(key, value, message):
  with pytest.raises(UserError) as caught:
    settings_lib.resolve(catch(**{key: value}))
  assert f'config.{key} {message}' in str(caught.value)


def test_whole_numbers_are_numbers():
  settings = settings_lib.resolve(catch(**{'optimizer.learning_rate': 1}))
  assert type(settings.optimizer.learning_rate) is float


@pytest.mark.parametrize(
  'key, value, bounds',
  (
    ('num_seeds', 0, '1 to 65536'),
    ('num_seeds', 2**31 - 1, '1 to 65536'),
    ('fork.replicates', 65_537, '0 to 65536'),
    ('num_steps', -1, 'at least 1'),
    ('segment_steps', 0, 'at least 1'),
    ('seed', -1, '0 to 2147483647'),
    ('seed', 2**31, '0 to 2147483647'),
    ('agent.epsilon_end', 1.5, '0 to 1'),
    ('agent.epsilon_begin', float('nan'), '0 to 1'),
    ('optimizer.learning_rate', -1e-3, 'at least 0'),
    ('optimizer.learning_rate', float('nan'), 'at least 0'),
    ('replay.discount', 1.1, '0 to 1'),
    ('replay.n_step', 0, 'at least 1'),
    ('diagnostics.probe_size', 1, 'at least 2'),
    ('checkpoint.keep', 0, 'at least 1'),
    ('fork.step', -2, 'at least -1'),
    ('fork.horizon', 0, 'at least 1'),
    ('network.slots', -1, '0 to 1000'),
    ('regularizer.l2_init', -1e-3, 'at least 0'),
    ('regularizer.power_iterations', 0, 'at least 1'),
    ('optimizer.microbatches', 0, 'at least 1'),
    ('optimizer.learning_rate', float('inf'), 'a finite number of 32 bits'),
    ('fork.margin', float('inf'), 'a finite number of 32 bits'),
  ),
)
def test_values_out_of_range_are_refused(key, value, bounds):
  with pytest.raises(UserError) as caught:
    settings_lib.resolve(catch(**{key: value}))
  assert f'config.{key} must be {bounds}: {value!r}' in str(caught.value)


def test_options_of_an_environment_have_the_common_limits():
  limits = config_lib.setting_limits('dqn', 'atari_pong')
  assert limits['environment.max_episode_steps'].low == 0
  config = settings_lib.default_config('dqn', 'atari_pong')
  config.environment.max_episode_steps = -1
  with pytest.raises(UserError, match='max_episode_steps must be at least 0'):
    settings_lib.resolve(config)


@pytest.mark.parametrize('key', ('num_steps', 'fork', 'network.split'))
def test_keys_that_an_earlier_version_lacked_have_their_defaults(key):
  config = settings_lib.default_config()
  config.seed = 7
  whole = settings_lib.resolve(config)
  tree = config.to_dict()
  *sections, last = key.split('.')
  section = tree
  for name in sections:
    section = section[name]
  del section[last]
  assert settings_lib.resolve(tree) == whole


@pytest.mark.parametrize('section', ('agent', 'environment'))
@pytest.mark.parametrize('value', (None, 3, {}, {'nme': 'dqn'}))
def test_no_name_is_refused(section, value):
  with pytest.raises(UserError, match=f'the config has no {section}.name'):
    settings_lib.resolve(catch(**{section: value}))


@pytest.mark.parametrize(
  'changes, message',
  (
    ({'network.hidden': (64, 0)}, 'hidden must hold positive whole numbers: 0'),
    ({'network.hidden': (6.5,)}, 'positive whole numbers: 6.5'),
    ({'network.hidden': (True,)}, 'positive whole numbers: True'),
    ({'network.convolutions': (16,)}, r'\(filters, kernel, stride\) each: 16'),
    ({'network.convolutions': ((16, 3),)}, 'stride'),
    ({'network.convolutions': ((16, 3, 0),)}, 'stride'),
    ({'replay.min_size': 20_000}, r'n_step \* num_envs \(1\) and .*\(10000\)'),
    ({'replay.n_step': 200}, r'n_step \* num_envs \(200\)'),
    (
      {'environment.num_envs': 3},
      r'segment_steps \(1000\) must be a multiple of environment.num_envs',
    ),
    ({'environment.num_envs': 16}, r'segment_steps \(1000\)'),
    (
      {
        'environment.num_envs': 2,
        'replay.capacity': 1001,
        'replay.min_size': 10,
      },
      r'replay.capacity \(1001\)',
    ),
    (
      {'optimizer.microbatches': 3},
      r'batch_size \(32\) must be a multiple of optimizer.microbatches \(3\)',
    ),
    ({'optimizer.b1': 1.0}, 'optimizer.b1 must be below 1'),
    ({'optimizer.b2': 1}, 'optimizer.b2 must be below 1'),
    ({'environment.permute': 'inputs'}, 'switch_every_steps is 0, but permute'),
    ({'environment.vary': ('gravity',)}, 'catch has no physics'),
    ({'environment.gradual': True}, 'gradual is True, but nothing'),
    ({'environment.switch_every_steps': 5}, "is 5, but permute is 'none'"),
  ),
)
def test_what_does_not_go_together_is_refused(changes, message):
  with pytest.raises(UserError, match=message):
    settings_lib.resolve(catch(**changes))


@pytest.mark.parametrize(
  'changes, message',
  (
    ({}, 'switch_every_steps is 0, but minatar_sequence is a sequence'),
    ({'games': ('breakout',)}, 'two or more'),
    (
      {'games': ('breakout', 'pong')},
      "unknown game of minatar_sequence 'pong'",
    ),
    ({'switch_every_steps': 9, 'gradual': True}, 'nothing changes gradually'),
  ),
)
def test_a_sequence_of_games_that_is_none_is_refused(changes, message):
  config = settings_lib.default_config('dqn', 'minatar_sequence')
  config.environment.update(changes)
  with pytest.raises(UserError, match=message):
    settings_lib.resolve(config)


@pytest.mark.parametrize(
  'changes, message',
  (
    ({'tasks': ('walker_run', 'cheetah_run')}, 'must share a body'),
    ({'tasks': ('walker_run',)}, 'two or more'),
    ({'switch_every_steps': 0}, 'switch_every_steps must be at least 1: 0'),
    ({'switch_every_steps': 9, 'num_envs': 2}, r'switch_every_steps \(9\)'),
  ),
)
def test_a_sequence_of_tasks_that_is_none_is_refused(changes, message):
  config = settings_lib.default_config('sac', 'dmc_sequence')
  assert not config.replay.clear_on_switch  # As on the device.
  config.environment.update(changes)
  with pytest.raises(UserError, match=message):
    settings_lib.resolve(config)


@pytest.mark.parametrize(
  'changes, message',
  (
    ({'log_std_min': 2.0}, r'log_std_min \(2.0\) must be below log_std_max'),
    ({'target_entropy_per_action': float('nan')}, 'must be a finite number'),
  ),
)
def test_impossible_policies_are_refused(changes, message):
  config = CONFIGS['sac', 'catch'].copy_and_resolve_references()
  config.agent.update(changes)
  with pytest.raises(UserError, match=message):
    settings_lib.resolve(config)


def test_lists_from_json_are_tuples():
  settings = settings_lib.resolve(
    catch(
      **{
        'network.convolutions': [[16, 3, 1]],
        'network.hidden': [8],
      }
    )
  )
  assert settings.network.convolutions == ((16, 3, 1),)
  assert settings.network.hidden == (8,)


def test_settings_are_frozen():
  settings = settings_lib.resolve(catch())
  with pytest.raises(dataclasses.FrozenInstanceError):
    settings.network.split = 1


@pytest.mark.parametrize(
  'path',
  sorted((pathlib.Path(__file__).parents[2] / 'configs').glob('*.py')),
  ids=lambda path: path.stem,
)
def test_every_shipped_config_and_variant_resolves(path):
  """Variants are those that the refusal of an unknown one lists."""
  if path.stem == '__init__':
    return
  module = importlib.import_module(f'configs.{path.stem}')
  settings_lib.resolve(module.get_config())
  with pytest.raises(ValueError, match='valid: ') as caught:
    module.get_config('no such variant')
  variants = [
    variant
    for variant in str(caught.value).split('valid: ')[1].split(', ')
    if not variant.startswith('any ')  # All games, or all tasks.
  ]
  resolved = [settings_lib.resolve(module.get_config(v)) for v in variants]
  for i, settings in enumerate(resolved):
    assert resolved.index(settings) == i, f'{variants[i]} is nothing new'


@pytest.mark.parametrize(
  'variant',
  (
    'resets',
    'resets,small',
    'small,resets',
    'resets,paper,small',
  ),
)
def test_resets_of_drq_are_of_the_runs_length(variant):
  config = drq_dmc.get_config(variant)
  (text,) = settings_lib.resolve(config).interventions
  assert f'every_steps={config.num_steps // 10})' in text


def test_settings_do_not_wait_for_jax():
  code = (
    'import sys; from plasticity_rl import settings; '
    'settings.resolve(settings.default_config()); '
    'sys.exit("jax" in sys.modules or "numpy" in sys.modules)'
  )
  root = pathlib.Path(__file__).parents[2]
  subprocess.run([sys.executable, '-c', code], cwd=root, check=True)
