"""The Control Suite from state: as the suite plays it, and copied exactly."""

import sys

import numpy as np
import pytest

from plasticity_rl.environments import dmc
from plasticity_rl.environments import host_registry
from plasticity_rl.environments import rendering
from plasticity_rl.environments.spaces import Continuous
from plasticity_rl.errors import UserError

pytest.importorskip('dm_control', reason='dm_control is not installed')

# One of each thing that a copy has to think of: contacts and actuators with a
# state, a solver that starts warm, targets in geoms, bodies and lights, gains
# that are drawn, a terrain that is drawn.
QUICK = (
  'quadruped_run',
  'hopper_hop',
  'reacher_hard',
  'manipulator_insert_peg',
  'swimmer_swimmer6',
  'point_mass_hard',
  'quadruped_escape',
  'finger_turn_easy',
  'cheetah_run',
  'humanoid_run',
  'fish_swim',
)


def make(task, num_envs=1, **options):
  return host_registry.make(
    f'dmc_{task}', num_envs, evaluation=False, **options
  )


def play(envs, steps, seed=0):
  rng = np.random.default_rng(seed)
  size = envs.num_envs, envs.spaces.actions.size
  actions = rng.uniform(-1, 1, (steps, *size)).astype(np.float32)
  return [envs.step(a) for a in actions]


def assert_same(rows, others):
  for row, other in zip(rows, others, strict=True):
    for a, b in zip(row, other, strict=True):
      np.testing.assert_array_equal(a, b)


def suite_action(env, action):
  """In the suite's bounds, by straight lines through their ends."""
  spec = env.action_spec()
  return [
    np.interp(a, (-1, 1), ends)
    for a, ends in zip(
      action, zip(spec.minimum, spec.maximum, strict=True), strict=True
    )
  ]


@pytest.mark.parametrize(
  'task',
  [
    pytest.param(task, marks=() if task in QUICK else pytest.mark.slow)
    for task in host_registry.SUITE_TASKS
  ],
)
def test_a_copy_goes_on_to_the_bit(task):
  """In the middle of its third episode, and over the end of it."""
  # Long enough for what falls to be on the ground.
  limit = 50 if task in QUICK else 12
  original, fresh = (make(task, max_episode_steps=limit) for _ in range(2))
  first = original.begin(np.array([3], np.uint32))
  rows = play(original, 2 * limit + limit // 2)
  saved = original.get_state()

  def go_on(envs):
    """Up to the end, and over it, with the states at both times."""
    steps = play(envs, limit - limit // 2 - 1, seed=1)
    before = envs.get_state()
    steps += play(envs, limit // 2, seed=2)
    return steps, before, envs.get_state()

  steps, *states = go_on(original)
  assert sum(step.last.item() for step in steps) == 1
  fresh.set_state(saved)
  same, *others = go_on(fresh)
  assert_same(steps, same)
  # What is seen is of float32; these are of float64.
  for state, other in zip(states, others, strict=True):
    for key, value in state.items():
      np.testing.assert_array_equal(other[key], value, key)
  # And begun again, it plays as if nothing had been played before.
  np.testing.assert_array_equal(fresh.begin(np.array([3], np.uint32)), first)
  assert_same(rows, play(fresh, len(rows)))


@pytest.mark.parametrize('task', ['reacher_hard', 'quadruped_run'])
def test_as_the_suite_plays_it(task):
  """The quadruped's actions have other bounds than -1 and 1."""
  suite = rendering.load_suite()
  domain, name = host_registry.SUITE_TASKS[task]
  env = suite.load(domain, name, task_kwargs={'random': 5})

  def seen(timestep):
    return np.concatenate(
      [np.ravel(timestep.observation[k]) for k in env.observation_spec()]
    ).astype(np.float32)

  envs = make(task)
  assert envs.spaces.actions == Continuous(env.action_spec().shape[0])
  first = envs.begin(np.array([5], np.uint32))
  np.testing.assert_array_equal(first[0], seen(env.reset()))
  assert envs.spaces.observation_shape == first[0].shape
  rng = np.random.default_rng(0)
  for _ in range(30):
    action = rng.uniform(-1, 1, (1, *env.action_spec().shape))
    action = action.astype(np.float32)
    step = envs.step(action)
    timestep = env.step(suite_action(env, action[0]))
    np.testing.assert_allclose(step.observation[0], seen(timestep), 1e-6)
    np.testing.assert_allclose(step.reward[0], timestep.reward, 1e-6)
  assert (np.abs(env.action_spec().minimum) == 1).all() == (
    task == 'reacher_hard'
  )


@pytest.mark.parametrize('repeat', [1, 8])
def test_the_suites_limit_truncates(repeat):
  envs = make('pendulum_swingup', action_repeat=repeat)
  envs.begin(np.array([1], np.uint32))
  decisions = 1000 // repeat
  steps = play(envs, decisions + 3)
  ends = [t for t, step in enumerate(steps, 1) if step.last]
  assert ends == [decisions]
  assert all(step.discount == 1 for step in steps)
  last = steps[decisions - 1]
  assert (last.observation != last.next_observation).any()
  assert envs.frames_per_step == repeat


def test_a_copy_knows_how_long_the_episode_is():
  """By the suite's own limit, in one that has played longer and one shorter."""
  original = make('pendulum_swingup')
  original.begin(np.array([1], np.uint32))
  play(original, 990)
  saved = original.get_state()
  for before in (0, 995):
    copy = make('pendulum_swingup')
    if before:
      copy.begin(np.array([2], np.uint32))
      play(copy, before)
    copy.set_state(saved)
    ends = [t for t, step in enumerate(play(copy, 12), 1) if step.last]
    assert ends == [10]


def test_action_repeat_sums_rewards():
  one, four = make('cheetah_run'), make('cheetah_run', action_repeat=4)
  for envs in (one, four):
    envs.begin(np.array([1], np.uint32))
  rng = np.random.default_rng(0)
  for _ in range(10):
    action = rng.uniform(-1, 1, (1, 6)).astype(np.float32)
    steps = [one.step(action) for _ in range(4)]
    step = four.step(action)
    np.testing.assert_array_equal(step.observation, steps[-1].observation)
    np.testing.assert_allclose(
      step.reward, np.sum([s.reward for s in steps], 0), rtol=1e-6
    )


def test_termination_has_a_discount_of_zero():
  """No listed task terminates today; one that does is told from a limit."""
  envs = make('cheetah_run')
  envs.begin(np.array([1], np.uint32))
  envs._envs[0].env.task.get_termination = lambda physics: 0.0
  (step,) = play(envs, 1)
  assert step.last and step.discount == 0


def test_environments_are_seeded_apart():
  envs = make('cheetah_run', 3)
  first = envs.begin(np.array([7, 8, 7], np.uint32))
  assert (first[0] != first[1]).any()
  np.testing.assert_array_equal(first[0], first[2])


def test_return_range():
  assert make('cheetah_run').return_range == (0, 1000)
  limited = make('cheetah_run', action_repeat=2, max_episode_steps=50)
  assert limited.return_range == (0, 100)
  longer = make('cheetah_run', action_repeat=2, max_episode_steps=5000)
  assert longer.return_range == (0, 1000)


def test_every_listed_task_has_1000_steps_of_bounded_actions():
  suite = rendering.load_suite()
  listed = {task for task in suite.ALL_TASKS if task[0] != 'lqr'}
  assert set(host_registry.SUITE_TASKS.values()) == listed
  env = suite.load('dog', 'run')
  assert env._step_limit == dmc.EPISODE_STEPS


def test_without_dm_control(monkeypatch):
  monkeypatch.setitem(sys.modules, 'dm_control', None)
  with pytest.raises(UserError, match=r"pip install -e '.*\[dmc\]'"):
    make('cheetah_run')
