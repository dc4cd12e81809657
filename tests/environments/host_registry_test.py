"""Environments on the host by name: the table, and what is refused."""

import csv
import pathlib

import pytest

from plasticity_rl.environments import host_registry
from plasticity_rl.environments import registry
from plasticity_rl.errors import UserError

DATA = pathlib.Path(__file__).resolve().parent.parent / 'data'


def make(name, num_envs=1, **options):
  return host_registry.make(name, num_envs, evaluation=False, **options)


def test_names():
  names = host_registry.NAMES
  assert sum(name.startswith('atari_') for name in names) == 57
  assert len(set(names)) == len(names) == 57 + 2 * 49 + 1
  for name in names:
    assert host_registry.is_host(name)
    assert registry.options(name) == registry.OPTIONS[name]
  assert set(registry.NAMES) == {*registry.DEVICE_NAMES, *names}
  assert not any(map(host_registry.is_host, registry.DEVICE_NAMES))


def test_every_task_of_the_reference_curves_has_a_name():
  for file in ('dmc_return_by_step.csv', 'primacy_bias_scores.csv'):
    with (DATA / file).open() as lines:
      tasks = {
        (row['algorithm'], row['task'].replace('-', '_'))
        for row in csv.DictReader(lines)
      }
    assert len(tasks) >= 10
    for algorithm, task in tasks:
      family = 'dmc_pixels' if algorithm == 'drq' else 'dmc'
      assert f'{family}_{task}' in host_registry.OPTIONS


def test_import_paths():
  for name in ('mine:make', 'my_pkg.envs:make', 'a.b:C.make'):
    assert host_registry.is_own(name) and host_registry.is_host(name)
    assert registry.options(name) == host_registry.OWN_OPTIONS
  for name in ('mine', 'mine:', ':make', 'a b:c', 'a:b:c', 'x/y.py:z', 3):
    assert not host_registry.is_own(name)


def test_options_of_pixels():
  """PlaNet's action repeats, and DrQ's camera."""
  table = {
    name.removeprefix('dmc_pixels_'): options
    for name, options in host_registry.OPTIONS.items()
    if name.startswith('dmc_pixels_')
  }
  repeats = {
    'cartpole_swingup': 8,
    'reacher_easy': 4,
    'cheetah_run': 4,
    'finger_spin': 2,
    'ball_in_cup_catch': 4,
    'walker_walk': 2,
  }
  for name, options in table.items():
    assert options['action_repeat'] == repeats.get(name, 2)
    assert options['camera'] == (2 if 'quadruped' in name else 0)
  assert set(repeats) <= set(table)
  assert host_registry.OPTIONS['dmc_cheetah_run']['action_repeat'] == 1


@pytest.mark.parametrize(
  ('name', 'near'),
  [
    ('atari_pnog', 'atari_pong'),
    ('dmc_cheeta_run', 'dmc_cheetah_run'),
    ('dmc_pixels_walker_wlak', 'dmc_pixels_walker_walk'),
    ('dmc_humanoid_CMU_run', 'dmc_humanoid_cmu_run'),
  ],
)
def test_unknown_names(name, near):
  for refuse in (make, registry.options):
    with pytest.raises(UserError, match=f"did you mean .*'{near}'") as error:
      refuse(name)
    # Not all 160 of them.
    assert len(str(error.value)) < 450
    assert 'atari_GAME (57 games), dmc_DOMAIN_TASK' in str(error.value)
    assert 'PACKAGE.MODULE:CALLABLE' in str(error.value)


def test_unknown_names_tell_those_on_device_too():
  with pytest.raises(UserError, match="'cacth'; did you mean 'catch'"):
    registry.options('cacth')
  with pytest.raises(UserError, match='valid: acrobot, cartpole'):
    registry.options('zzz')


@pytest.mark.parametrize(
  ('name', 'options', 'message'),
  [
    ('atari_pong', {'stack': 3}, "option of atari_pong 'stack'"),
    ('dmc_cheetah_run', {'size': 3}, 'valid: action_repeat, max_episode'),
    ('atari_pong', {'sticky_action_prob': 1.5}, 'must be 0 to 1: 1.5'),
    ('atari_pong', {'max_noops': 0}, 'max_noops .* must be at least 1: 0'),
    ('dmc_cheetah_run', {'action_repeat': 0}, 'must be at least 1: 0'),
    ('dmc_cheetah_run', {'action_repeat': 2.0}, 'of type int: 2.0'),
    ('dmc_cheetah_run', {'max_episode_steps': -1}, 'must be at least 0'),
    ('atari_pong', {'clip_rewards': 1}, 'of type bool: 1'),
    ('dmc_pixels_cheetah_run', {'fast_rendering': 'fast'}, 'auto, off, on'),
    ('dmc_pixels_cheetah_run', {'size': 0}, 'must be at least 1'),
    ('a.b:c', {'arguments': 'Pong'}, 'of type tuple'),
  ],
)
def test_refused_options(name, options, message):
  with pytest.raises(UserError, match=message):
    make(name, **options)


@pytest.mark.parametrize('number', [0, -1, 1.0, '2', True])
def test_refused_numbers(number):
  with pytest.raises(UserError, match='num_envs must be a whole number of 1'):
    make('dmc_cheetah_run', number)
