"""The trial of a user's environment before training."""

import random

import gymnasium
import numpy as np
import pytest
from absl import logging

from plasticity_rl.environments import custom_trial
from plasticity_rl.environments import host_registry
from plasticity_rl.errors import UserError
from tests.environments import returning
from tests.run import commands

HERE = 'tests.environments.returning'


@pytest.fixture(name='notes')
def fixture_notes(monkeypatch):
  found = []
  monkeypatch.setattr(
    logging, 'warning', lambda text, *values: found.append(text % values)
  )
  custom_trial.say.cache_clear()
  return found


def make(name, *arguments, num_envs=2, evaluation=False, **options):
  name = name if ':' in name else f'{HERE}:{name}'
  return host_registry.make(
    name, num_envs, evaluation=evaluation, arguments=arguments, **options
  )


@pytest.mark.parametrize(
  'more',
  [
    2**127,
    'text',
    b'\0bytes',
    (1, (2, [3])),
    {1: {'a': {(2, 3): None}}},
    np.zeros((0, 3)),
    random.Random(3),
    np.random.default_rng(3).bit_generator.state,
  ],
  ids=lambda more: type(more).__name__,
)
def test_states_of_any_kind_are_copied(more):
  """Also those that grow, each environment's by itself."""
  envs, copy = make('Stateful', more), make('Stateful', more)
  envs.begin(np.array([3, 4]))
  for _ in range(3):
    envs.step(np.array([0, 1]))
  envs._envs[1].reset()
  saved = envs.get_state()
  assert all(array.shape[0] == 2 for array in saved.values())
  expected = [envs.step(np.array([0, 1])) for _ in range(9)]
  copy.set_state(saved)
  given = copy._envs[0]._env.given
  assert type(given) is type(more)
  if isinstance(more, np.ndarray):
    assert given.shape == more.shape
  elif not isinstance(more, random.Random):
    assert given == more
  for step in expected:
    for a, b in zip(step, copy.step(np.array([0, 1])), strict=True):
      np.testing.assert_array_equal(a, b)


def test_what_cannot_be_saved_is_refused_at_once():
  with pytest.raises(UserError, match=r"state\['more'\] is a .*Box, which"):
    make('Stateful', returning.BOX)


def test_a_copy_that_goes_on_differently_is_refused_at_once():
  with pytest.raises(UserError, match='went on differently: another obs') as e:
    make('Forgets')
  assert '\n' not in str(e.value) and f'{HERE}:Forgets' in str(e.value)


def test_environments_that_begin_alike_are_told_of(notes):
  make('stepped')
  (note,) = notes
  assert 'begins alike under two seeds (16 steps' in note
  assert f'{HERE}:stepped' in note and '\n' not in note
  make('stepped')
  assert len(notes) == 1  # Once a process.


def test_only_the_first_episode_is_compared(notes):
  # After it, numbers of episodes of these environments differ by chance.
  make('tests.environments.scripted:GymEnv')
  (note,) = notes
  assert '(3 steps of equal actions)' in note


def test_environments_that_draw_from_their_seeds_are_not(notes):
  make('Stateful')
  make('tests.environments.scripted:DrawnGymEnv')
  make('gymnasium:make', 'CartPole-v1')
  assert not notes
  make('tests.environments.scripted:taking', 7)
  (note,) = notes
  assert "'tests.environments.scripted:taking' of (7,) begins alike" in note


def test_one_seed_at_construction_is_told_of(notes):
  make('tests.environments.custom_trial_test:Fixed')
  (note,) = notes
  assert 'begins alike' in note


class Fixed(returning.Stateful):
  """Random, but the same in every environment; not by the given seed."""

  def __init__(self):
    super().__init__()
    self.rng = np.random.default_rng(0)

  def step(self, action):
    self.np_random = self.rng
    return super().step(action)

  def get_state(self):
    return {**super().get_state(), 'rng': self.rng}

  def set_state(self, state):
    super().set_state(state)
    self.rng = state['rng']


class OneBuffer(gymnasium.Env):
  """Draws its picture into the same array again and again."""

  observation_space = gymnasium.spaces.Box(0, 255, (4, 4, 1), np.uint8)
  action_space = gymnasium.spaces.Discrete(2)

  def reset(self, *, seed=None, options=None):
    super().reset(seed=seed)
    self.picture = self.np_random.integers(0, 255, (4, 4, 1), dtype=np.uint8)
    return self.picture, {}

  def step(self, action):
    self.picture[:] = 0
    return self.picture, 0.0, False, False, {}


def test_pictures_in_one_array_are_compared_as_they_were(notes):
  make('tests.environments.custom_trial_test:OneBuffer')
  assert not notes


def test_pictures_that_become_vectors_are_told_of(notes):
  space = gymnasium.spaces.Box(0, 1, (4, 8, 8, 3))
  make('seen', np.zeros(space.shape), space)
  assert any('become one vector of 768 numbers' in note for note in notes)


def test_the_trial_moves_nothing():
  np.random.seed(3)
  random.seed(3)
  make('tests.environments.custom_trial_test:Global')
  found = np.random.random(), random.random()
  np.random.seed(3)
  random.seed(3)
  assert found == (np.random.random(), random.random())


class Global(returning.Gym):
  """Draws from the generators of numpy and Python themselves."""

  def step(self, action):
    reward = np.random.random() + random.random()
    return returning.SEEN, reward, False, False, {}


def test_environments_of_evaluation_are_not_tried_again():
  with pytest.raises(UserError):
    make('stepped', returning.SEEN, None)
  make('stepped', returning.SEEN, None, evaluation=True)


def test_those_of_a_trial_are_closed(monkeypatch):
  opened = []

  class Counted(returning.Stateful):
    def __init__(self):
      super().__init__()
      opened.append(self)

    def close(self):
      opened.remove(self)

  monkeypatch.setattr(returning, 'Counted', Counted, raising=False)
  envs = make('Counted')
  assert opened == [env._env for env in envs._envs]


def test_a_command_ends_before_any_computing(tmp_path):
  result = commands.call(
    'train',
    '--config=configs/own_environment.py',
    f'--config.environment.name={HERE}:stepped',
    '--config.environment.arguments=(0.0,)',
    f'--workdir={tmp_path / "run"}',
  )
  assert result.code == 2
  (line,) = result.err.splitlines()
  assert line.startswith(
    f"error: environment '{HERE}:stepped': step() returned"
  )
  assert not (tmp_path / 'run').exists()
