"""Environments that return whatever they are told to."""

import dm_env
import gymnasium
import numpy as np
from dm_env import specs

BOX = gymnasium.spaces.Box(-1, 1, (2,), np.float32)
SEEN = np.zeros(2, np.float32)


class Gym(gymnasium.Env):
  """Returns `first` from reset and `then` from step."""

  action_space = gymnasium.spaces.Discrete(2)

  def __init__(self, *, first=(SEEN, {}), then=None, space=BOX):
    self.observation_space = space
    self.first = first
    self.then = (SEEN, 0.0, False, False, {}) if then is None else then

  def reset(self, *, seed=None, options=None):
    del options
    super().reset(seed=seed)
    return self.first

  def step(self, action):
    assert self.action_space.contains(action)
    return self.then


def gym(first, then, space):
  """By position, as `config.environment.arguments` are given."""
  return Gym(first=first, then=then, space=space)


def seen(observation, space):
  """A Gym of which all observations are the same."""
  return Gym(
    first=(observation, {}),
    then=(observation, 0.0, False, False, {}),
    space=space,
  )


def stepped(observation=SEEN, reward=0.0, terminated=False, truncated=False):
  """A Gym whose step returns these."""
  return Gym(then=(observation, reward, terminated, truncated, {}))


class Unseeded(Gym):
  """Its reset is as it was in gym before 0.26."""

  def reset(self):
    return self.first


class Dm(dm_env.Environment):
  """Returns `first` from reset and `then` from step."""

  def __init__(self, first=None, then=None, spec=None):
    self.spec = spec or specs.Array((2,), np.float32)
    self.first = dm_env.restart(SEEN) if first is None else first
    self.then = dm_env.transition(0.0, SEEN) if then is None else then

  def reset(self):
    return self.first

  def step(self, action):
    return self.then

  def observation_spec(self):
    return self.spec

  def action_spec(self):
    return specs.DiscreteArray(2)


class Stateful(Gym):
  """A place that moves by a random number, and a state of any form."""

  def __init__(self, state=None):
    super().__init__()
    self.place, self.history, self.given = 0.0, [], None
    self._state = state

  def _see(self):
    return np.array([self.place, len(self.history)], np.float32)

  def reset(self, *, seed=None, options=None):
    super().reset(seed=seed)
    self.place, self.history = 0.0, []
    return self._see(), {}

  def step(self, action):
    self.place = float(self.np_random.normal()) + int(action)
    self.history.append(self.place)
    return self._see(), self.place, len(self.history) == 7, False, {}

  def get_state(self):
    return {
      'place': self.place,
      'history': np.array(self.history),
      'rng': self.np_random,
      'more': self._state,
    }

  def set_state(self, state):
    self.place, self.history = state['place'], list(state['history'])
    self.np_random, self.given = state['rng'], state['more']


class Forgets(Stateful):
  """Its state lacks the random generator."""

  def get_state(self):
    return {**super().get_state(), 'rng': None}

  def set_state(self, state):
    super().set_state({**state, 'rng': np.random.default_rng(0)})


class ManyAtOnce(gymnasium.vector.VectorEnv):
  """As envpool's: of both classes."""

  observation_space = BOX
  action_space = gymnasium.spaces.Discrete(2)


class Both(ManyAtOnce, gymnasium.Env):
  """As envpool's: a vector of environments that calls itself one too."""


ONE = Stateful()


def one():
  """Always the same object."""
  return ONE


MADE = []


def unlike():
  """Environments of different spaces."""
  MADE.append(None)
  size = 3 if len(MADE) > 2 and len(MADE) % 2 else 2
  space = gymnasium.spaces.Box(-1, 1, (size,), np.float32)
  return seen(np.zeros(size, np.float32), space)
