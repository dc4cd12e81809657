"""Tasks in turn on the host: when they switch, and what a copy holds."""

import numpy as np
import pytest

from plasticity_rl.environments import host_registry
from plasticity_rl.environments import vector
from plasticity_rl.environments.spaces import Discrete
from plasticity_rl.environments.spaces import Spaces
from plasticity_rl.environments.task_sequence import TaskSequence
from plasticity_rl.errors import UserError

SPACES = Spaces((1,), np.float32, Discrete(1))
SEEDS = np.arange(2, dtype=np.uint32)


class Endless:
  """Observes its number and the steps of its episode, as task + steps / 10."""

  can_copy = True

  def __init__(self, task):
    self.task, self.steps = task, 0

  def begin(self, seed):
    self.reset()

  def reset(self):
    self.steps = 0

  def advance(self, action):
    self.steps += 1
    return vector.Outcome(float(self.task), 1.0, False)

  def observe(self):
    return np.float32([self.task + self.steps / 10])

  def get_state(self):
    return {'steps': np.array(self.steps)}

  def set_state(self, state):
    self.steps = int(state['steps'])

  def close(self):
    pass


def make(switch_every=3, evaluation=False, limit=0):
  return TaskSequence(
    ('a', 'b'),
    [
      vector.SyncVectorEnv(
        [Endless(task), Endless(task)],
        SPACES,
        return_range=(0, 1 + task),
        range_frames=4 + task,
        max_episode_steps=limit,
      )
      for task in range(2)
    ],
    switch_every,
    evaluation=evaluation,
  )


def play(envs, steps):
  """Observations, ends and next observations of the first environment."""
  results = [envs.step(np.zeros(2, np.int32)) for _ in range(steps)]
  assert all((result.discount == 1).all() for result in results)
  return [
    tuple(
      round(float(np.ravel(x)[0]), 1)
      for x in (r.observation, r.last, r.next_observation)
    )
    for r in results
  ]


def test_a_switch_truncates_and_goes_on_to_the_next_task():
  envs = make()
  assert envs.begin(SEEDS)[0] == 0
  assert play(envs, 7) == [
    (0.1, 0, 0.1),
    (0.2, 0, 0.2),
    (0.3, 1, 1.0),
    (1.1, 0, 1.1),
    (1.2, 0, 1.2),
    (1.3, 1, 0.0),  # The first task again, from the start of an episode.
    (0.1, 0, 0.1),
  ]


def test_limits_of_episodes_start_anew_with_a_task():
  envs = make(switch_every=3, limit=2)
  envs.begin(SEEDS)
  lasts = [last for _, last, _ in play(envs, 7)]
  assert lasts == [0, 1, 1, 0, 1, 1, 0]


def test_an_evaluation_stays_in_the_task():
  """At the end of a task, in the one that was learned."""
  envs = make(evaluation=True)
  for steps, task in ((0, 0), (1, 0), (3, 0), (4, 1), (6, 1), (7, 0)):
    assert envs.begin(SEEDS, steps)[0] == task
    seen = play(envs, 8)
    assert [int(observation) for observation, _, _ in seen] == [task] * 8
    assert not any(last for _, last, _ in seen)


def test_a_copy_goes_on_as_the_original():
  envs, copy = make(), make()
  envs.begin(SEEDS)
  play(envs, 4)
  state = envs.get_state()
  assert all(len(value) == 2 for value in state.values())
  copy.set_state(state)
  assert play(copy, 9) == play(envs, 9)


def test_the_range_is_that_of_all_tasks():
  envs = make()
  assert envs.return_range == (0, 2) and envs.range_frames == 5


def test_the_suite_s_walker_in_turn():
  pytest.importorskip('dm_control')
  envs = host_registry.make(
    'dmc_sequence', 2, evaluation=False, switch_every_steps=2, action_repeat=2
  )
  assert envs.spaces.observation_shape == (24,)
  assert envs.frames_per_step == 2 and envs.can_copy
  first = envs.begin(SEEDS)
  alone = host_registry.make('dmc_walker_stand', 2, evaluation=False)
  np.testing.assert_array_equal(first, alone.begin(SEEDS))
  actions = np.zeros((2, 6), np.float32)
  assert not envs.step(actions).last.any()
  assert envs.step(actions).last.all()
  state = envs.get_state()
  copy = host_registry.make(
    'dmc_sequence', 2, evaluation=False, switch_every_steps=2, action_repeat=2
  )
  copy.set_state(state)
  for _ in range(5):
    ours, theirs = copy.step(actions), envs.step(actions)
    np.testing.assert_array_equal(ours.observation, theirs.observation)
    np.testing.assert_array_equal(ours.reward, theirs.reward)
    np.testing.assert_array_equal(
      ours.next_observation, theirs.next_observation
    )


@pytest.mark.parametrize(
  'tasks, said',
  [
    (('walker_walk',), 'two or more'),
    (('walker_walk', 'walker_rum'), "'walker_rum'; did you mean 'walker_run'"),
    (('walker_walk', 'hopper_hop'), 'share a body.*hopper_hop, walker_walk'),
  ],
)
def test_tasks_that_make_no_sequence_are_refused(tasks, said):
  with pytest.raises(UserError, match=said):
    host_registry.make('dmc_sequence', 1, evaluation=False, tasks=tasks)


def test_tasks_that_see_different_things_are_refused():
  pytest.importorskip('dm_control')
  with pytest.raises(UserError, match='quadruped_walk has .*quadruped_fetch'):
    host_registry.make(
      'dmc_sequence',
      1,
      evaluation=False,
      tasks=('quadruped_walk', 'quadruped_fetch'),
    )
