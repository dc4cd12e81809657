"""Many environments: the ends of episodes, action repeat, limits, stacks."""

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from plasticity_rl.environments import threaded
from plasticity_rl.environments import vector
from plasticity_rl.environments.spaces import Discrete
from plasticity_rl.environments.spaces import Spaces
from tests.environments import scripted

SPACES = Spaces((2,), np.float32, Discrete(1))


class SingleEnv:
  """An environment that plays a script."""

  can_copy = True

  def __init__(self, script=scripted.SCRIPT):
    self._script = script

  def begin(self, seed):
    self.played = scripted.Played(self._script)
    self.played.begin()

  def reset(self):
    self.played.begin()

  def advance(self, action):
    terminated, truncated = self.played.move()
    return vector.Outcome(
      self.played.reward, float(not terminated), terminated or truncated
    )

  def observe(self):
    return np.float32(self.played.observation)

  def get_state(self):
    # Names that those around use themselves.
    at = [self.played.episode, self.played.step]
    return {'at': np.array(at), 'steps': np.array(7), 'stack': np.array(8)}

  def set_state(self, state):
    assert (state['steps'], state['stack']) == (7, 8)
    self.played = scripted.Played(self._script)
    self.played.episode, self.played.step = state['at']

  def close(self):
    pass


def make(scripts=(scripted.SCRIPT,), **options):
  found = [SingleEnv(script) for script in scripts]
  return vector.SyncVectorEnv(found, SPACES, return_range=(0, 1), **options)


def play(envs, steps):
  """One row a step: observation, reward, discount, last, next observation."""
  actions = np.zeros(envs.num_envs, np.int32)
  return [envs.step(actions) for _ in range(steps)]


def test_ends_of_episodes():
  envs = make()
  np.testing.assert_array_equal(envs.begin(np.array([0])), [[0, 0]])
  expected = [
    # observation, reward, discount, last, next observation
    ([0, 1], 1, 1, False, [0, 1]),
    ([0, 2], 2, 1, False, [0, 2]),
    ([0, 3], 3, 0, True, [1, 0]),  # It terminated,
    ([1, 1], 11, 1, False, [1, 1]),
    ([1, 2], 12, 1, True, [2, 0]),  # and was truncated.
    ([2, 1], 21, 1, False, [2, 1]),
  ]
  for step, row in zip(play(envs, 6), expected, strict=True):
    seen, reward, discount, last, following = row
    np.testing.assert_array_equal(step.observation, [seen])
    np.testing.assert_array_equal(step.next_observation, [following])
    assert (step.reward, step.score) == (reward, reward)
    assert (step.discount, step.last) == (discount, last)
  dtypes = [x.dtype for x in step]
  assert dtypes == ['f4', 'f4', 'f4', 'bool', 'f4', 'f4']


def test_an_environment_does_not_disturb_another():
  scripts = ((2, 'truncated'),), ((3, 'terminated'), (1, 'truncated'))
  together = make(scripts)
  together.begin(np.arange(2))
  rows = play(together, 9)
  for i, script in enumerate(scripts):
    alone = make((script,))
    alone.begin(np.arange(1))
    for row, own in zip(rows, play(alone, 9), strict=True):
      for a, b in zip(row, own, strict=True):
        np.testing.assert_array_equal(a[i], b[0])


def naive(script, repeat, limit, steps):
  """What `SyncVectorEnv` does of one environment, without its loops."""
  played = scripted.Played(script)
  played.begin()
  rows, decisions = [], 0
  for _ in range(steps):
    rewards, ends = [], (False, False)
    while len(rewards) < repeat and not any(ends):
      ends = played.move()
      rewards.append(played.reward)
    decisions += 1
    seen = list(played.observation)
    last = any(ends) or decisions == limit
    if last:
      played.begin()
      decisions = 0
    rows.append(
      (seen, sum(rewards), 1 - ends[0], last, list(played.observation))
    )
  return rows


@settings(deadline=None, max_examples=40)
@given(
  script=st.lists(
    st.tuples(st.integers(1, 6), st.sampled_from(['terminated', 'truncated'])),
    min_size=1,
    max_size=4,
  ),
  repeat=st.integers(1, 4),
  limit=st.integers(0, 4),
)
def test_repeat_and_limit_as_told_naively(script, repeat, limit):
  envs = make((script,), action_repeat=repeat, max_episode_steps=limit)
  assert envs.frames_per_step == repeat
  envs.begin(np.arange(1))
  for step, row in zip(
    play(envs, 12), naive(script, repeat, limit, 12), strict=True
  ):
    seen, reward, discount, last, following = row
    assert step.observation.tolist() == [seen]
    assert step.next_observation.tolist() == [following]
    assert [step.reward, step.discount, step.last] == [reward, discount, last]


def test_termination_at_the_limit_is_a_termination():
  envs = make(max_episode_steps=3)
  envs.begin(np.arange(1))
  *_, step = play(envs, 3)
  assert step.last and step.discount == 0


def test_begin_forgets_the_steps_before():
  envs = make((((9, 'truncated'),),), max_episode_steps=3)
  envs.begin(np.arange(1))
  play(envs, 2)
  envs.begin(np.arange(1))
  assert [bool(s.last[0]) for s in play(envs, 3)] == [False, False, True]


def test_stack_is_newest_last_and_of_one_episode():
  spaces = Spaces((6,), np.float32, Discrete(1))
  envs = vector.SyncVectorEnv(
    [vector.FrameStack(SingleEnv(), 3)], spaces, return_range=(0, 1)
  )
  assert envs.begin(np.arange(1)).tolist() == [[0, 0, 0, 0, 0, 0]]
  steps = play(envs, 4)
  assert steps[0].observation.tolist() == [[0, 0, 0, 0, 0, 1]]
  assert steps[1].observation.tolist() == [[0, 0, 0, 1, 0, 2]]
  assert steps[2].observation.tolist() == [[0, 1, 0, 2, 0, 3]]
  assert steps[2].next_observation.tolist() == [[1, 0, 1, 0, 1, 0]]
  assert steps[3].observation.tolist() == [[1, 0, 1, 0, 1, 1]]


@pytest.mark.parametrize('stack', [1, 2])
def test_copy_goes_on_as_the_original(stack):
  def build():
    spaces = Spaces((2 * stack,), np.float32, Discrete(1))
    found = [SingleEnv(((7, 'terminated'),)), SingleEnv()]
    if stack > 1:
      found = [vector.FrameStack(env, stack) for env in found]
    return vector.SyncVectorEnv(
      found, spaces, return_range=(0, 1), max_episode_steps=5
    )

  original, copy = build(), build()
  original.begin(np.arange(2))
  play(original, 4)
  saved = original.get_state()
  assert all(len(value) == 2 for value in saved.values())
  expected = play(original, 6)
  copy.set_state(saved)
  for a, b in zip(expected, play(copy, 6), strict=True):
    for x, y in zip(a, b, strict=True):
      np.testing.assert_array_equal(x, y)
  # What was saved is a copy: stepping did not change it.
  copy.set_state(saved)
  np.testing.assert_array_equal(
    play(copy, 1)[0].observation, expected[0].observation
  )


class Noted(vector.SyncVectorEnv):
  """Notes which threads it is used in, and fails if asked to."""

  threads = set()

  def step(self, actions):
    self.threads.add(threading.current_thread())
    if actions is None:
      raise KeyError('no actions')
    return super().step(actions)

  def close(self):
    self.threads.add(threading.current_thread())


def test_one_thread_does_it_all():
  envs = threaded.ThreadedEnv(
    lambda: Noted([SingleEnv()], SPACES, return_range=(0, 1))
  )
  assert envs.begin(np.arange(1)).tolist() == [[0, 0]]
  play(envs, 1)
  other = threading.Thread(target=play, args=(envs, 1))
  other.start()
  other.join()
  with pytest.raises(KeyError, match='no actions'):
    envs.step(None)
  state = envs.get_state()
  assert state['lane_at'].tolist() == [[0, 2]]  # Both steps were made.
  envs.set_state(state)
  envs.close()
  envs.close()  # Once more does nothing.
  with pytest.raises(RuntimeError, match='are closed'):
    envs.begin(np.arange(1))
  (thread,) = Noted.threads
  assert thread not in (threading.current_thread(), other)
  thread.join(timeout=10)
  assert not thread.is_alive()


def test_what_cannot_be_built_leaves_no_thread():
  before = set(threading.enumerate())
  with pytest.raises(ZeroDivisionError):
    threaded.ThreadedEnv(lambda: 1 / 0)
  for thread in set(threading.enumerate()) - before:
    thread.join(timeout=10)
    assert not thread.is_alive()
