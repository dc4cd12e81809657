"""A small environment on the host, with and without copying."""

import gymnasium
import numpy as np


class Walk(gymnasium.Env):
  """Random places; an action is right where it is the place modulo three.

  Episodes terminate by luck and are truncated after eight steps.
  """

  observation_space = gymnasium.spaces.Box(-1, 1, (5,), np.float32)
  action_space = gymnasium.spaces.Discrete(3)

  def reset(self, *, seed=None, options=None):
    del options
    super().reset(seed=seed)
    self._time, self._place = 0, int(self.np_random.integers(5))
    return self._see(), {}

  def _see(self):
    return np.eye(5, dtype=np.float32)[self._place]

  def step(self, action):
    reward = float(action == self._place % 3)
    self._time += 1
    self._place = int(self.np_random.integers(5))
    terminated = bool(self.np_random.random() < 0.1)
    return self._see(), reward, terminated, self._time >= 8, {}


class CopiedWalk(Walk):
  """The same, which can be copied."""

  def get_state(self):
    state = self.np_random.bit_generator.state['state']
    words = [
      state[name] >> shift & 0xFFFFFFFF
      for name in ('state', 'inc')
      for shift in range(0, 128, 32)
    ]
    more = self.np_random.bit_generator.state
    return {
      'numbers': np.array(
        [self._time, self._place, more['has_uint32'], more['uinteger'], *words]
      )
    }

  def set_state(self, state):
    numbers = [int(x) for x in state['numbers']]
    self._time, self._place, has_uint32, uinteger, *words = numbers
    halves = [
      sum(word << 32 * i for i, word in enumerate(words[k : k + 4]))
      for k in (0, 4)
    ]
    self.np_random.bit_generator.state = {
      'bit_generator': 'PCG64',
      'has_uint32': has_uint32,
      'uinteger': uinteger,
      'state': {'state': halves[0], 'inc': halves[1]},
    }


class GrowingWalk(Walk):
  """Its state has the random generator itself, and all places so far."""

  def __init__(self):
    self._been = []

  def step(self, action):
    self._been.append(self._place)
    return super().step(action)

  def get_state(self):
    return {
      'at': (self._time, self._place),
      1: self.np_random,
      'been': np.array(self._been, np.int8),
    }

  def set_state(self, state):
    (self._time, self._place), self.np_random = state['at'], state[1]
    self._been = list(state['been'])


class FailingWalk(Walk):
  """After so many steps, it returns no reward."""

  def __init__(self, steps):
    self._left = steps

  def step(self, action):
    self._left -= 1
    seen, reward, *ends = super().step(action)
    return seen, (reward if self._left >= 0 else None), *ends


class Reach(gymnasium.Env):
  """A point on a line is to be kept near zero by pushes."""

  observation_space = gymnasium.spaces.Box(-2, 2, (2,), np.float32)
  action_space = gymnasium.spaces.Box(-1, 1, (1,), np.float32)

  def reset(self, *, seed=None, options=None):
    del options
    super().reset(seed=seed)
    self._place, self._time = self.np_random.uniform(-1, 1), 0
    return self._see(), {}

  def _see(self):
    return np.array([self._place, self._time / 8], np.float32)

  def step(self, action):
    self._place = float(np.clip(self._place + 0.3 * action[0], -2, 2))
    self._time += 1
    return self._see(), -abs(self._place), False, self._time >= 8, {}


class Noted(gymnasium.Env):
  """Keeps the actions of all environments of a process, for as long as asked.

  Its episodes are truncated after 30 steps.
  """

  observation_space = gymnasium.spaces.Box(-1, 1, (1,), np.float32)
  action_space = gymnasium.spaces.Discrete(3)
  actions: list[list[int]] = []

  def reset(self, *, seed=None, options=None):
    del options
    super().reset(seed=seed)
    self._own = []
    self.actions.append(self._own)
    return np.zeros(1, np.float32), {}

  def step(self, action):
    self._own.append(int(action))
    return np.zeros(1, np.float32), 0.0, False, len(self._own) == 30, {}
