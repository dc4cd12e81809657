"""Steps N environments of one process one after the other."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from plasticity_rl.environments import episode_cut
from plasticity_rl.environments.host import Step
from plasticity_rl.environments.spaces import Spaces


class Outcome(NamedTuple):
  """The result of a step: reward, discount, whether the episode ended."""

  reward: float
  discount: float
  last: bool


class SingleEnv(Protocol):
  """One environment.

  `observe` is called once after each `begin`, `reset` and decision.
  """

  can_copy: bool

  def begin(self, seed: int) -> None:
    """Starts an episode; all later randomness follows from `seed`."""

  def reset(self) -> None:
    """Starts the next episode."""

  def advance(self, action: np.ndarray) -> Outcome:
    """Takes one step. The action repeat is applied outside."""

  def observe(self) -> np.ndarray:
    """The current observation."""

  def get_state(self) -> dict[str, np.ndarray]:
    """A copy of the complete state."""

  def set_state(self, state: dict[str, np.ndarray]) -> None:
    """Restores a state, also before the first `begin`."""

  def close(self) -> None:
    """Frees threads, windows and contexts."""


class SyncVectorEnv:
  """`HostEnvironments` from single ones, with action repeat and a time limit.

  Rewards of a repeated action are summed and its discounts multiplied. The
  repetition stops at the end of an episode; only the observation after it is
  used. The time limit truncates: it does not change the discount. `score` is
  `reward`.
  """

  def __init__(
    self,
    envs: Sequence[SingleEnv],
    spaces: Spaces,
    *,
    return_range: tuple[float, float],
    range_frames: int = 0,
    action_repeat: int = 1,
    max_episode_steps: int = 0,
  ):
    """Uses the environments from now on; nothing else may step them.

    Args:
      envs: alike but for their randomness.
      spaces: of each environment.
      return_range: see `HostEnvironments`; before `max_episode_steps`.
      range_frames: the same.
      action_repeat: environment steps for each decision.
      max_episode_steps: decisions after which an episode is truncated; 0 for
        no limit.
    """
    self._envs = list(envs)
    self.spaces = spaces
    self.num_envs = len(self._envs)
    self.return_range, self.range_frames = return_range, range_frames
    if max_episode_steps:
      frames = action_repeat * max_episode_steps
      self.return_range = episode_cut.return_range(
        return_range, range_frames, frames
      )
      self.range_frames = min(range_frames, frames)
    self.frames_per_step = action_repeat
    self.can_copy = all(env.can_copy for env in self._envs)
    self._limit = max_episode_steps
    self._steps = np.zeros(self.num_envs, np.int64)

  def begin(self, seeds: np.ndarray) -> np.ndarray:
    self._steps[:] = 0
    observation = self._empty()
    for i, env in enumerate(self._envs):
      env.begin(int(seeds[i]))
      observation[i] = env.observe()
    return observation

  def restart(self) -> np.ndarray:
    """Starts the next episode in each, whatever the present ones are at.

    Returns:
      The first observations, `[N, ...]`.
    """
    self._steps[:] = 0
    observation = self._empty()
    for i, env in enumerate(self._envs):
      env.reset()
      observation[i] = env.observe()
    return observation

  def step(self, actions: np.ndarray) -> Step:
    observation = self._empty()
    reward = np.empty(self.num_envs, np.float32)
    discount = np.empty(self.num_envs, np.float32)
    last = np.empty(self.num_envs, bool)
    self._steps += 1
    for i, env in enumerate(self._envs):
      outcome = self._decide(env, actions[i])
      reward[i], discount[i], last[i] = outcome
      if self._limit and self._steps[i] >= self._limit:
        last[i] = True
      observation[i] = env.observe()
    following = observation
    if last.any():
      following = observation.copy()
      for i in np.flatnonzero(last):
        self._steps[i] = 0
        self._envs[i].reset()
        following[i] = self._envs[i].observe()
    return Step(observation, reward, discount, last, following, reward)

  def _decide(self, env: SingleEnv, action: np.ndarray) -> Outcome:
    total, discount, last = env.advance(action)
    for _ in range(self.frames_per_step - 1):
      if last:
        break
      reward, factor, last = env.advance(action)
      total, discount = total + reward, discount * factor
    return Outcome(total, discount, last)

  def get_state(self) -> dict[str, np.ndarray]:
    states = [env.get_state() for env in self._envs]
    # An environment may have a key 'steps'. Checkpoints hold this prefix.
    stacked = {
      f'lane_{key}': _stacked([s[key] for s in states]) for key in states[0]
    }
    return {'steps': self._steps.copy(), **stacked}

  def set_state(self, state: dict[str, np.ndarray]) -> None:
    self._steps[:] = state['steps']
    for i, env in enumerate(self._envs):
      env.set_state(
        {
          key.removeprefix('lane_'): value[i]
          for key, value in state.items()
          if key != 'steps'
        }
      )

  def close(self) -> None:
    for env in self._envs:
      env.close()

  def _empty(self) -> np.ndarray:
    shape = (self.num_envs, *self.spaces.observation_shape)
    return np.empty(shape, self.spaces.observation_dtype)


def _stacked(arrays: Sequence[np.ndarray]) -> np.ndarray:
  """Stacks arrays to `[N, ...]`; bytes of unequal length get zeros."""
  if all(array.ndim == 1 and array.dtype == np.uint8 for array in arrays):
    longest = max(array.size for array in arrays)
    arrays = [np.pad(array, (0, longest - array.size)) for array in arrays]
  return np.stack(arrays)


class FrameStack:
  """Stacks the last observations of an environment, newest last.

  They are stacked on the last axis.

  At the start of an episode the first observation fills the stack.
  """

  def __init__(self, env: SingleEnv, number: int):
    self._env = env
    self._number = number
    self._stack: np.ndarray | None = None
    self.can_copy = env.can_copy
    self.advance: Callable[[np.ndarray], Outcome] = env.advance
    self.close = env.close

  def begin(self, seed: int) -> None:
    self._stack = None
    self._env.begin(seed)

  def reset(self) -> None:
    self._stack = None
    self._env.reset()

  def observe(self) -> np.ndarray:
    frame = self._env.observe()
    if self._stack is None:
      self._stack = np.concatenate([frame] * self._number, -1)
    else:
      older = self._stack[..., frame.shape[-1] :]
      self._stack = np.concatenate([older, frame], -1)
    return self._stack

  def get_state(self) -> dict[str, np.ndarray]:
    inner = self._env.get_state()
    return {
      'stack': self._stack.copy(),
      **{f'frame_{key}': value for key, value in inner.items()},
    }

  def set_state(self, state: dict[str, np.ndarray]) -> None:
    self._stack = state['stack'].copy()
    self._env.set_state(
      {
        key.removeprefix('frame_'): value
        for key, value in state.items()
        if key != 'stack'
      }
    )
