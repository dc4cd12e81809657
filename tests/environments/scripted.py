"""Tiny environments whose episodes are written down beforehand.

An episode is `(length, how)`, where `how` is 'terminated' or 'truncated';
episodes come in the order of the script, over and over. The observation is
`[episode, step]`, and the reward of a step `10 * episode + step`, plus the
action if that is a number.
"""

import dm_env
import gymnasium
import numpy as np
from dm_env import specs

SCRIPT = ((3, 'terminated'), (2, 'truncated'))


class Played:
  """Where an environment is in its script."""

  def __init__(self, script=SCRIPT):
    self.script = script
    self.episode, self.step = -1, 0

  def begin(self):
    self.episode, self.step = self.episode + 1, 0

  def move(self):
    """Whether the episode ended so: (terminated, truncated)."""
    length, how = self.script[self.episode % len(self.script)]
    self.step += 1
    assert self.step <= length, 'stepped after the end'
    ended = self.step == length
    return ended and how == 'terminated', ended and how == 'truncated'

  @property
  def observation(self):
    return np.array([self.episode, self.step], np.float64)

  @property
  def reward(self):
    return 10.0 * self.episode + self.step


class DmEnv(dm_env.Environment):
  """Continuous actions in [0, 10] x [-4, -2], which are kept in `action`."""

  def __init__(self, script=SCRIPT, seed=None):
    self.played = Played(script)
    self.seed = seed
    self.action = None
    self.closed = False

  def reset(self):
    self.played.begin()
    return dm_env.restart(self.played.observation)

  def step(self, action):
    self.action = action
    terminated, truncated = self.played.move()
    end = dm_env.termination if terminated else dm_env.transition
    if truncated:
      end = dm_env.truncation
    return end(self.played.reward, self.played.observation)

  def observation_spec(self):
    return specs.Array((2,), np.float64)

  def action_spec(self):
    return specs.BoundedArray((2,), np.float32, [0, -4], [10, -2])

  def close(self):
    self.closed = True


class GymEnv(gymnasium.Env):
  """Actions 5, 6 and 7, which are added to the reward."""

  observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (2,), np.float64)
  action_space = gymnasium.spaces.Discrete(3, start=5)

  def __init__(self, script=SCRIPT):
    self.played = Played(script)
    self.seeds = []

  def reset(self, *, seed=None, options=None):
    super().reset(seed=seed)
    self.seeds.append(seed)
    self.played.begin()
    return self.played.observation, {}

  def step(self, action):
    terminated, truncated = self.played.move()
    reward = self.played.reward + int(action)
    return self.played.observation, reward, terminated, truncated, {}


class CopiedGymEnv(GymEnv):
  """One that can be copied."""

  def get_state(self):
    return {'at': np.array([self.played.episode, self.played.step])}

  def set_state(self, state):
    self.played.episode, self.played.step = map(int, state['at'])


class CopiedDmEnv(DmEnv):
  """One whose state is an array."""

  def get_state(self):
    return np.array([self.played.episode, self.played.step])

  def set_state(self, state):
    self.played.episode, self.played.step = map(int, state)


class DrawnGymEnv(GymEnv):
  """Draws something when it is built, and observes it in the first place."""

  def __init__(self, seed=None):
    super().__init__()
    self.drawn = np.random.default_rng(seed).uniform(1, 2)
    self.closed = False

  def reset(self, *, seed=None, options=None):
    observation, info = super().reset(seed=seed, options=options)
    return observation + np.array([self.drawn, 0]), info

  def close(self):
    self.closed = True


def taking(*arguments):
  """A GymEnv; whatever it is called with, it notes in `arguments`."""
  env = GymEnv()
  env.arguments = arguments
  return env
