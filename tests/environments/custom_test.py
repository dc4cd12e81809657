"""Someone's own environment, of dm_env or gymnasium, by import path."""

import pathlib
import re
import sys

import dm_env
import gymnasium
import numpy as np
import pytest
from dm_env import specs

from plasticity_rl.environments import custom
from plasticity_rl.environments import host_registry
from plasticity_rl.environments.spaces import Continuous
from plasticity_rl.environments.spaces import Discrete
from plasticity_rl.errors import UserError

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
HERE = 'tests.environments.custom_test'
SCRIPTED = 'tests.environments.scripted'


def make(name, num_envs=1, **options):
  return host_registry.make(name, num_envs, evaluation=False, **options)


def own(envs, i=0):
  """The user's object in environment `i`."""
  return envs._envs[i]._env


def test_gymnasium_termination_truncation_and_offset_of_actions():
  envs = make(f'{SCRIPTED}:GymEnv')
  assert envs.spaces.actions == Discrete(3)
  assert envs.spaces.observation_shape == (2,)
  first = envs.begin(np.array([17], np.uint32))
  np.testing.assert_array_equal(first, [[0, 0]])
  assert first.dtype == np.float32
  steps = [envs.step(np.array([2])) for _ in range(5)]
  rewards = [s.reward.item() for s in steps]
  assert rewards == [8, 9, 10, 18, 19]  # Action 2 is their 7.
  assert [s.discount.item() for s in steps] == [1, 1, 0, 1, 1]
  assert [s.last.item() for s in steps] == [False, False, True, False, True]
  np.testing.assert_array_equal(steps[2].observation, [[0, 3]])
  np.testing.assert_array_equal(steps[2].next_observation, [[1, 0]])
  np.testing.assert_array_equal(steps[4].next_observation, [[2, 0]])
  # Only the first episode is seeded; the others follow from it.
  assert own(envs).seeds == [17, None, None]


def test_dm_env_termination_truncation_and_scaled_actions():
  envs = make(f'{SCRIPTED}:DmEnv')
  assert envs.spaces.actions == Continuous(2)
  envs.begin(np.array([4], np.uint32))
  assert own(envs).seed == 4
  steps = [envs.step(np.zeros((1, 2), np.float32)) for _ in range(5)]
  assert [s.discount.item() for s in steps] == [1, 1, 0, 1, 1]
  assert [s.last.item() for s in steps] == [False, False, True, False, True]
  np.testing.assert_array_equal(steps[4].observation, [[1, 2]])
  np.testing.assert_array_equal(steps[4].next_observation, [[2, 0]])
  for ours, theirs in (
    ([0, 0], [5, -3]),
    ([-1, 1], [0, -2]),
    ([1, -1], [10, -4]),
    ([2, -2], [10, -4]),  # Outside is the bound.
  ):
    envs.begin(np.array([4], np.uint32))
    envs.step(np.array([ours], np.float32))
    np.testing.assert_array_equal(own(envs).action, np.float32(theirs))
    assert own(envs).action.dtype == np.float32


def test_each_environment_has_its_seed():
  envs = make(f'{SCRIPTED}:DmEnv', 3)
  before = own(envs)
  envs.begin(np.array([5, 6, 7], np.uint32))
  assert [own(envs, i).seed for i in range(3)] == [5, 6, 7]
  assert before.closed  # It was made again.


def test_what_gymnasium_draws_at_construction_follows_from_the_seed():
  envs = make(f'{SCRIPTED}:DrawnGymEnv', 3)
  before = own(envs)
  first = envs.begin(np.array([5, 6, 7], np.uint32))
  assert len(np.unique(first[:, 0])) == 3
  np.testing.assert_array_equal(envs.begin(np.array([5, 6, 7])), first)
  assert [own(envs, i).seeds for i in range(3)] == [[5], [6], [7]]
  assert before.closed


def test_seeded_environments_of_gymnasium_repeat():
  envs = make('gymnasium:make', 2, arguments=('CartPole-v1',))

  def play(seeds):
    rows = [envs.begin(np.array(seeds, np.uint32))]
    rng = np.random.default_rng(0)
    for _ in range(50):
      step = envs.step(rng.integers(2, size=2))
      rows += [step.observation, step.next_observation]
    return np.array(rows)

  one, other, again = play([1, 2]), play([3, 4]), play([1, 2])
  np.testing.assert_array_equal(one, again)
  assert (one != other).any()
  assert not envs.can_copy


def test_options_are_applied():
  envs = make(
    f'{SCRIPTED}:GymEnv',
    arguments=(((9, 'terminated'),),),
    action_repeat=2,
    max_episode_steps=2,
    stack_frames=2,
    return_range=(-3, 7.0),
  )
  assert envs.return_range == (-3.0, 7.0)
  assert envs.frames_per_step == 2
  assert envs.spaces.observation_shape == (4,)
  np.testing.assert_array_equal(envs.begin([0]), [[0, 0, 0, 0]])
  step = envs.step(np.array([0]))
  np.testing.assert_array_equal(step.observation, [[0, 0, 0, 2]])
  assert step.reward == 1 + 5 + 2 + 5
  step = envs.step(np.array([0]))
  assert step.last and step.discount == 1
  np.testing.assert_array_equal(step.observation, [[0, 2, 0, 4]])
  np.testing.assert_array_equal(step.next_observation, [[1, 0, 1, 0]])


@pytest.mark.parametrize('name', ['CopiedGymEnv', 'CopiedDmEnv'])
def test_a_copy_where_the_environment_offers_one(name):
  envs = make(f'{SCRIPTED}:{name}', 2)
  assert envs.can_copy
  assert not make(f'{SCRIPTED}:GymEnv').can_copy
  actions = np.zeros((2, 2) if name == 'CopiedDmEnv' else 2, np.int32)
  envs.begin(np.arange(2))
  envs.step(actions)
  saved = envs.get_state()
  expected = [envs.step(actions) for _ in range(4)]
  copy = make(f'{SCRIPTED}:{name}', 2)
  copy.set_state(saved)
  for step in expected:
    for a, b in zip(step, copy.step(actions), strict=True):
      np.testing.assert_array_equal(a, b)


class Spaces(gymnasium.Env):
  """Whatever spaces are asked for."""

  def __init__(self, seen=None, actions=None):
    box = gymnasium.spaces.Box
    self.observation_space = seen or box(-1, 1, (2,))
    self.action_space = actions or box(-1, 1, (2,))

  def reset(self, *, seed=None, options=None):
    self.observation_space.seed(seed)
    self.value = self.observation_space.sample()
    return self.value, {}

  def step(self, action):
    self.action = action
    self.value = self.observation_space.sample()
    return self.value, 0.0, False, False, {}


BOX = gymnasium.spaces.Box


@pytest.mark.parametrize(
  ('space', 'shape', 'dtype'),
  [
    (BOX(-1, 1, (3, 2)), (6,), np.float32),
    (BOX(-1, 1, ()), (1,), np.float32),
    (BOX(0, 255, (8, 6, 3), np.uint8), (8, 6, 3), np.uint8),
    (BOX(0, 255, (8, 6), np.uint8), (8, 6, 1), np.uint8),
    (BOX(0, 255, (4,), np.uint8), (4,), np.float32),
    (gymnasium.spaces.Discrete(3), (3,), np.float32),
    (
      gymnasium.spaces.Dict({'b': BOX(2, 3, (2,)), 'a': BOX(-1, 1, (1,))}),
      (3,),
      np.float32,
    ),
  ],
)
def test_observations(space, shape, dtype):
  envs = make(f'{HERE}:Spaces', arguments=(space,))
  assert envs.spaces.observation_shape == shape
  assert envs.spaces.observation_dtype == dtype
  first = envs.begin(np.array([0]))
  assert first.shape == (1, *shape) and first.dtype == dtype
  seen = own(envs).value
  if isinstance(seen, dict):
    expected = [*seen['a'], *seen['b']]
  elif isinstance(space, gymnasium.spaces.Discrete):
    expected = np.eye(3)[seen]
  else:
    expected = seen
  np.testing.assert_array_equal(first[0].ravel(), np.ravel(expected))


def test_actions_of_any_shape_and_dtype():
  space = BOX(np.float64(0), 4, (2, 3), np.float64)
  envs = make(f'{HERE}:Spaces', arguments=(None, space))
  assert envs.spaces.actions == Continuous(6)
  envs.begin(np.array([0]))
  envs.step(np.array([[-1, -0.5, 0, 0.5, 1, 1]], np.float32))
  np.testing.assert_array_equal(own(envs).action, [[0, 1, 2], [3, 4, 4]])
  assert own(envs).action.dtype == np.float64


def test_full_range_of_float32_does_not_overflow():
  large = np.finfo(np.float32).max
  space = BOX(-large, large, (1,))
  envs = make(f'{HERE}:Spaces', arguments=(None, space))
  envs.begin(np.array([0]))
  envs.step(np.array([[0.5]], np.float32))
  assert own(envs).action == np.float32(0.5 * large)


class DmSpecs(dm_env.Environment):
  """Whatever specs are asked for."""

  def __init__(self, seen=None, actions=None):
    self.seen = seen or specs.Array((2,), np.float32)
    self.actions = actions or specs.DiscreteArray(3)

  def reset(self):
    if isinstance(self.seen, dict):
      values = {
        key: np.full(spec.shape, i)
        for i, (key, spec) in enumerate(self.seen.items())
      }
      # In another order than the spec's, as some do.
      return dm_env.restart(dict(reversed(values.items())))
    return dm_env.restart(np.zeros(self.seen.shape))

  def step(self, action):
    self.action = action
    return dm_env.transition(0.0, self.reset().observation)

  def observation_spec(self):
    return self.seen

  def action_spec(self):
    return self.actions


def test_dict_of_arrays_in_the_order_of_the_spec():
  seen = {'z': specs.Array((2,), float), 'a': specs.Array((), float)}
  envs = make(f'{HERE}:DmSpecs', arguments=(seen,))
  assert envs.spaces.observation_shape == (3,)
  assert envs.spaces.actions == Discrete(3)
  np.testing.assert_array_equal(envs.begin(np.array([0])), [[0, 0, 1]])


@pytest.mark.parametrize(
  ('arguments', 'message'),
  [
    ((None, BOX(-np.inf, np.inf, (2,))), 'finite bounds.*-inf to inf'),
    ((None, BOX(0, 3, (2,), np.int32)), 'whole numbers'),
    ((None, gymnasium.spaces.MultiBinary(3)), 'must be Discrete or Box'),
    (
      (gymnasium.spaces.Sequence(gymnasium.spaces.Discrete(2)),),
      'observations must be',
    ),
  ],
)
def test_spaces_that_no_agent_fits(arguments, message):
  with pytest.raises(UserError, match=message) as error:
    make(f'{HERE}:Spaces', arguments=arguments)
  assert '\n' not in str(error.value)


def test_specs_that_no_agent_fits():
  nested = {'a': {'b': specs.Array((1,), float)}}
  with pytest.raises(UserError, match='observations must be'):
    make(f'{HERE}:DmSpecs', arguments=(nested,))
  with pytest.raises(UserError, match='actions must be'):
    make(f'{HERE}:DmSpecs', arguments=(None, specs.Array((2,), float)))


def test_each_environment_has_containers_of_its_own():
  given = ([1], {'a': [2]}, ([3],))
  envs = make(f'{SCRIPTED}:taking', 2, arguments=given)
  for i in range(2):
    first, second, third = own(envs, i).arguments
    assert (first, second, third) == ([1], {'a': [2]}, ([3],))
    first.append(0), second['a'].append(0), third[0].append(0)
  assert given == ([1], {'a': [2]}, ([3],))


def test_mistakes_in_the_name():
  with pytest.raises(UserError, match="no module named 'no_such_package'"):
    make('no_such_package.envs:make')
  with pytest.raises(UserError, match="no module named 'tests.no_such'"):
    make('tests.no_such:make')
  with pytest.raises(UserError, match=r"'GymEmv'; did you mean 'GymEnv'"):
    make(f'{SCRIPTED}:GymEmv')
  with pytest.raises(UserError, match='not callable'):
    make(f'{SCRIPTED}:SCRIPT')
  with pytest.raises(UserError, match='makes a Played, which is neither'):
    make(f'{SCRIPTED}:Played')
  for bad in ((1.0, 1.0), (1.0,), ('a', 'b'), (0, 1, 2), (0, np.inf)):
    with pytest.raises(UserError, match=r'return_range must be \(lowest'):
      make(f'{SCRIPTED}:GymEnv', return_range=bad)


@pytest.mark.parametrize(
  'arguments, message',
  (
    (
      (),
      r"arguments = \(\): missing a required argument: 'id'; it is called as",
    ),
    (('CartPole-v1', 1, True, 3), 'too many positional arguments'),
    (('CartPole-v7',), 'Environment version `v7` .* It provides'),
    (('CartPool-v1',), '`CartPool` doesn.t exist. Did you mean: `CartPole`'),
  ),
)
def test_mistakes_in_the_arguments(arguments, message):
  with pytest.raises(UserError, match=message) as caught:
    make('gymnasium:make', arguments=arguments)
  assert str(caught.value).startswith("environment 'gymnasium:make'")


def broken():
  raise TypeError('of their own')


def test_their_own_errors_are_theirs_to_see():
  with pytest.raises(TypeError, match='of their own'):
    make(f'{HERE}:broken')


def test_the_page_is_right(tmp_path, monkeypatch):
  """Its example runs, and is copied, and its options are the options."""
  page = (ROOT / 'docs' / 'environments.md').read_text()
  (code,) = re.findall(r'```python\n(.*?)```', page, re.S)
  (tmp_path / 'my_envs.py').write_text(code)
  monkeypatch.syspath_prepend(tmp_path)
  envs = make('my_envs:Corridor', 2)
  assert envs.can_copy and envs.spaces.actions == Discrete(2)
  envs.begin(np.arange(2))
  saved = envs.get_state()
  steps = [envs.step(np.array([1, 0])) for _ in range(50)]
  assert [s.reward[0] for s in steps[:11]] == [*[0] * 9, 1, 0]
  assert steps[9].last[0] and steps[9].discount[0] == 0
  assert steps[49].last[1] and steps[49].discount[1] == 1
  # The recipe for attributes that change.
  (methods,) = re.findall(r'\n\n(    def get_state.*?)\n\n\w', page, re.S)
  for ours, theirs in (('board', 'place'), ('score', 'history')):
    methods = methods.replace(ours, theirs)
  (tmp_path / 'recipes.py').write_text(
    'from tests.environments.returning import Stateful\n\n\n'
    f'class Recipe(Stateful):\n{methods.replace("rng", "_np_random")}'
  )
  recipe, other = make('recipes:Recipe'), make('recipes:Recipe')
  recipe.begin(np.array([3]))
  recipe.step(np.array([0]))
  other.set_state(recipe.get_state())
  assert recipe.step(np.array([1])).reward == other.step(np.array([1])).reward

  copy = make('my_envs:Corridor', 2)
  copy.set_state(saved)  # Nothing was reset there.
  for step in steps:
    for a, b in zip(step, copy.step(np.array([1, 0])), strict=True):
      np.testing.assert_array_equal(a, b)

  for options in (
    host_registry.OPTIONS['atari_pong'],
    host_registry.OPTIONS['dmc_pixels_cheetah_run'],
    host_registry.OWN_OPTIONS,
  ):
    assert all(f'`{option}`' in page for option in options)


def test_modules_in_the_current_directory(tmp_path, monkeypatch):
  monkeypatch.setattr(sys, 'path', [p for p in sys.path if p])
  monkeypatch.chdir(tmp_path)
  (tmp_path / 'envs_of_mine.py').write_text(
    'from tests.environments.scripted import GymEnv\n'
    'class factories:\n  short = staticmethod(lambda: GymEnv())\n'
  )
  assert make('envs_of_mine:factories.short').spaces.actions == Discrete(3)
  # What their module lacks is not taken for a wrong name of it.
  (tmp_path / 'broken_of_mine.py').write_text('import surely_not_there\n')
  with pytest.raises(ModuleNotFoundError, match='surely_not_there'):
    custom.load('broken_of_mine:make')
