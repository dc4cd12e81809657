"""What users' environments return: taken, or told of in a line."""

import dm_env
import gymnasium
import numpy as np
import pytest
from dm_env import specs

from plasticity_rl.environments import host_registry
from plasticity_rl.errors import EnvironmentFaultError
from plasticity_rl.errors import UserError
from tests.environments import returning
from tests.environments.returning import SEEN

HERE = 'tests.environments.returning'
BOX = gymnasium.spaces.Box
TIME_STEP = dm_env.transition(0.0, SEEN)


def make(callable_name, *arguments, num_envs=1, **options):
  return host_registry.make(
    f'{HERE}:{callable_name}',
    num_envs,
    evaluation=False,
    arguments=arguments,
    **options,
  )


def refused(callable_name, *arguments, match):
  """It is refused before the run, in a line that names the environment."""
  with pytest.raises(UserError, match=match) as caught:
    make(callable_name, *arguments)
  message = str(caught.value)
  assert '\n' not in message and f'{HERE}:{callable_name}' in message


def step(envs, actions=(0,)):
  return envs.step(np.array(actions, np.int32))


@pytest.mark.parametrize(
  'reward', [[1.0], np.float32(1), np.array([[1]]), True, 1, np.array(1.0)]
)
def test_rewards_that_are_a_number_are_taken(reward):
  envs = make('stepped', SEEN, reward)
  envs.begin(np.array([0]))
  assert step(envs).reward.tolist() == [1.0]


@pytest.mark.parametrize(
  'reward',
  [
    None,
    {'a': 1.0},
    '1.0',
    [1.0, 2.0],
    [],
    np.nan,
    np.inf,
    1e39,
    10**400,
    1j,
    np.array([1.0, 2.0]),
    np.ma.masked,
    [[1], [2, 3]],
    object(),
  ],
  ids=lambda reward: str(reward)[:12],
)
def test_rewards_that_are_no_number(reward):
  refused(
    'stepped', SEEN, reward, match=r'step\(\) returned the reward .*; expected'
  )


@pytest.mark.parametrize('ends', [np.True_, 1, [True], np.array([1.0])])
def test_ends_that_are_yes_or_no_are_taken(ends):
  envs = make('stepped', SEEN, 0.0, ends)
  envs.begin(np.array([0]))
  found = step(envs)
  assert found.last.tolist() == [True] and found.discount.tolist() == [0]
  envs = make('stepped', SEEN, 0.0, False, ends)
  envs.begin(np.array([0]))
  found = step(envs)
  assert found.last.tolist() == [True] and found.discount.tolist() == [1]


@pytest.mark.parametrize('ends', [None, 'no', 0.5, 2, {}, [True, False]])
def test_ends_that_are_not(ends):
  refused('stepped', SEEN, 0.0, ends, match=r'step\(\) returned .*terminated')
  refused(
    'stepped', SEEN, 0.0, False, ends, match=r'step\(\) returned .*truncated'
  )


@pytest.mark.parametrize(
  ('then', 'message'),
  [
    ((SEEN, 0.0, False, {}), 'a tuple of 4, as of gym before 0.26; expected'),
    (dm_env.transition(0.0, SEEN), 'a TimeStep of 4; expected'),
    (SEEN, r'an array of shape \(2,\) and dtype float32; expected'),
    ((SEEN, 0.0, False, False, {}, 1), 'a tuple of 6; expected a tuple'),
  ],
)
def test_steps_of_another_form(then, message):
  refused(
    'gym',
    (SEEN, {}),
    then,
    returning.BOX,
    match=r'step\(\) returned ' + message,
  )


@pytest.mark.parametrize(
  ('first', 'message'),
  [
    (SEEN, r'an array of shape \(2,\).*; expected a tuple \(observation, info'),
    ((SEEN,), 'a tuple of 1'),
    ((SEEN, 0.0, False), 'a tuple of 3'),
    ((0.0, 0.0), 'the info 0.0'),
    (None, 'None; expected'),
  ],
)
def test_resets_of_another_form(first, message):
  refused(
    'gym',
    first,
    None,
    returning.BOX,
    match=r'reset\(\) returned ' + message,
  )


def test_a_reset_without_a_seed():
  refused('Unseeded', match=r'reset\(\) does not take a seed as gymnasium asks')


@pytest.mark.parametrize(
  ('space', 'observation'),
  [
    (BOX(-1, 1, (2,)), np.zeros(3)),
    (BOX(-1, 1, (2, 3)), np.zeros((3, 2))),  # As many, in another order.
    (BOX(-1, 1, (2,)), [0.0, None]),
    (BOX(-1, 1, (2,)), {'a': 1}),
    (BOX(-1, 1, (2,)), None),
    (BOX(-1, 1, (2,)), [np.nan, 0]),
    (BOX(-1, 1, (2,)), [np.inf, 0]),
    (BOX(-1, 1, (2,)), np.array([1e300, 0])),
    (BOX(0, 255, (4, 4, 3), np.uint8), np.zeros((3, 4, 4), np.uint8)),
    (BOX(0, 255, (4, 4, 3), np.uint8), np.full((4, 4, 3), 0.5)),
    (BOX(0, 255, (4, 4, 3), np.uint8), np.full((4, 4, 3), 256)),
    (BOX(0, 255, (4, 4, 3), np.uint8), np.full((4, 4, 3), -1)),
    (gymnasium.spaces.Discrete(3), 3),
    (gymnasium.spaces.Discrete(3), -1),  # Would count from the end.
    (gymnasium.spaces.Discrete(3, start=2), 1),
    (gymnasium.spaces.Discrete(3), 1.5),
    (gymnasium.spaces.Discrete(3), None),
    (gymnasium.spaces.MultiDiscrete([2, 3]), np.array([0, 3])),
    (gymnasium.spaces.MultiBinary(2), np.array([0, 2])),
    (gymnasium.spaces.MultiBinary(2), [[1], [2, 3]]),
    (gymnasium.spaces.Dict(a=BOX(-1, 1, (2,))), {'b': np.zeros(2)}),
    (gymnasium.spaces.Dict(a=BOX(-1, 1, (2,))), {'a': np.zeros(3)}),
    (gymnasium.spaces.Dict(a=BOX(-1, 1, (2,))), np.zeros(2)),
    (
      gymnasium.spaces.Tuple([gymnasium.spaces.Discrete(2)] * 2),
      (1,),
    ),
    (gymnasium.spaces.Tuple([gymnasium.spaces.Discrete(2)] * 2), (1, 2)),
  ],
)
def test_observations_that_are_not_of_their_space(space, observation):
  refused(
    'seen',
    observation,
    space,
    match=r'reset\(\) returned the observation .*; expected',
  )


@pytest.mark.parametrize(
  ('space', 'observation', 'expected'),
  [
    # Beyond a bound, of another precision, or with an axis of length 1.
    (BOX(-1, 1, (2,)), np.array([1.5, 0]), [1.5, 0]),
    (BOX(-1, 1, (2,)), [1, 0], [1, 0]),
    (BOX(-1, 1, (1,)), 0.5, [0.5]),
    (BOX(-1, 1, (2,)), np.array([[0.5, 1]]), [0.5, 1]),
    (BOX(0, 255, (1, 2), np.uint8), np.array([[3, 4]]), [[[3], [4]]]),
    (gymnasium.spaces.Discrete(3, start=2), np.array([4]), [0, 0, 1]),
    (
      gymnasium.spaces.Dict(a=BOX(-1, 1, (1,)), b=BOX(-1, 1, (1,))),
      {'b': np.ones(1), 'more': None, 'a': np.zeros(1)},
      [0, 1],
    ),
  ],
)
def test_observations_that_are_taken(space, observation, expected):
  envs = make('seen', observation, space)
  assert envs.begin(np.array([0]))[0].tolist() == expected


@pytest.mark.parametrize(
  ('shape', 'dtype', 'message'),
  [
    ((0,), np.float32, 'are empty'),
    ((4, 0, 3), np.uint8, 'are empty'),
    ((4, 84, 84), np.uint8, r'are \[C, H, W\], it seems'),
    ((12, 96, 64), np.uint8, r'are \[C, H, W\], it seems'),
    ((4, 84, 84, 3), np.uint8, 'neither pictures .* nor vectors'),
    ((2,), np.complex64, 'are not real numbers'),
  ],
)
def test_shapes_that_are_not_taken_for_something_else(shape, dtype, message):
  space = gymnasium.spaces.Space(shape, dtype)
  if dtype != np.complex64:
    space = BOX(0, 255, shape, dtype)
    refused('seen', np.zeros(shape, dtype), space, match=message)
  spec = specs.Array(shape, dtype)
  refused('Dm', None, None, spec, match=message)


@pytest.mark.parametrize(
  'shape', [(84, 84, 4), (7, 7, 20), (8, 8, 111), (10, 30, 20), (1, 84, 3)]
)
def test_pictures_and_planes_that_are_taken(shape):
  space = BOX(0, 255, shape, np.uint8)
  envs = make('seen', np.zeros(shape, np.uint8), space)
  assert envs.spaces.observation_shape == shape


def test_actions_that_are_empty(monkeypatch):
  monkeypatch.setattr(returning.Gym, 'action_space', BOX(-1, 1, (0,)))
  refused('stepped', match='actions of shape .* are empty')
  monkeypatch.setattr(returning.Gym, 'action_space', None)
  refused('stepped', match='actions must be Discrete or Box, not None')


@pytest.mark.parametrize(
  ('first', 'then', 'message'),
  [
    (None, dm_env.restart(SEEN), r'step\(\) .* StepType.FIRST in mid-episode'),
    (TIME_STEP, None, r'reset\(\) returned a time step of the type'),
    (SEEN, None, r'reset\(\) .*; expected a dm_env.TimeStep'),
    (None, (SEEN, 0.0), r'step\(\) .*; expected a dm_env.TimeStep'),
    (None, TIME_STEP._replace(reward=None), 'the reward None; expected'),
    (None, TIME_STEP._replace(discount=None), 'the discount None; expected'),
    (None, TIME_STEP._replace(discount=1.5), 'the discount 1.5; expected'),
    (None, TIME_STEP._replace(discount=-0.5), 'the discount -0.5; expected'),
    (None, TIME_STEP._replace(step_type=7), r'type 7 \(int\); expected'),
    (None, TIME_STEP._replace(step_type=None), 'type None; expected'),
    (
      None,
      TIME_STEP._replace(observation=None),
      r'step\(\) .*observation None',
    ),
    (None, TIME_STEP._replace(observation=np.zeros(3)), r'shape \(3,\)'),
  ],
)
def test_time_steps_that_are_not_as_dm_env_asks(first, then, message):
  refused('Dm', first, then, match=message)


def test_dicts_and_numbers_of_dm_env():
  spec = {'a': specs.Array((1,), float), 'b': specs.Array((2,), float)}
  first = dm_env.restart({'a': np.zeros(1)})
  refused('Dm', first, None, spec, match=r'a dict with the keys')
  first = dm_env.restart({'a': np.zeros(1), 'b': np.zeros(3)})
  refused('Dm', first, None, spec, match=r"shape \(3,\) .*at \['b'\]")
  spec = {'a': specs.StringArray(())}
  refused('Dm', None, None, spec, match='are not real numbers')
  first = dm_env.restart(np.int32(3))
  refused(
    'Dm',
    first,
    None,
    specs.DiscreteArray(3),
    match='a whole number from 0 to 2',
  )


def test_a_fault_in_the_middle_of_a_run_is_told_as_well():
  envs = make('stepped')
  envs.begin(np.array([0]))
  envs._envs[0]._env.then = (SEEN, None, False, False, {})
  with pytest.raises(EnvironmentFaultError, match='the reward None; expected'):
    step(envs)


def test_several_environments_at_once_are_not_one():
  for name in ('ManyAtOnce', 'Both'):
    refused(name, match='VectorEnv')


def test_environments_that_are_one_object():
  refused('one', match='returned the same object twice')


def test_environments_of_different_spaces():
  returning.MADE.clear()
  with pytest.raises(UserError, match='the one numbered 1 has .* all must be'):
    make('unlike', num_envs=2)


def test_states_of_earlier_versions_are_taken():
  """They were arrays by their keys, or one array."""
  envs = host_registry.make(
    'tests.environments.scripted:CopiedGymEnv', 2, evaluation=False
  )
  envs.set_state({'steps': np.zeros(2), 'lane_at': np.array([[3, 1], [4, 2]])})
  found = [
    (env._env.played.episode, env._env.played.step) for env in envs._envs
  ]
  assert found == [(3, 1), (4, 2)]
  envs = host_registry.make(
    'tests.environments.scripted:CopiedDmEnv', 1, evaluation=False
  )
  envs.set_state({'steps': np.zeros(1), 'lane__array': np.array([[3, 1]])})
  assert envs._envs[0]._env.played.episode == 3
