"""N environments of one process that are stepped one after the other."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from plasticity_rl.environments.host import Step
from plasticity_rl.environments.spaces import Spaces


class Outcome(NamedTuple):
  """What a step does: reward, discount, and whether the episode ended."""

  reward: float
  discount: float
  last: bool


class SingleEnv(Protocol):
  """One environment. `observe` is called once after each of the others."""

  can_copy: bool

  def begin(self, seed: int) -> None:
    """Starts an episode; all randomness from here on follows from `seed`."""

  def reset(self) -> None:
    """Starts the next episode."""

  def advance(self, action: np.ndarray) -> Outcome:
    """One step, before any action repeat."""

  def observe(self) -> np.ndarray:
    """What there is to see now."""

  def get_state(self) -> dict[str, np.ndarray]:
    """All that the future depends on, as a copy."""

  def set_state(self, state: dict[str, np.ndarray]) -> None:
    """Goes on from there, also if nothing was begun here."""

  def close(self) -> None:
    """Frees what it holds."""


class SyncVectorEnv:
  """`HostEnvironments` of lanes, with action repeat and a limit on episodes.

  A repeated action's rewards are summed and its discounts multiplied; it stops
  at the end of an episode, and only what is seen after it is observed. The
  limit truncates: the discount stays what it was. `score` is `reward`.
  """

  def __init__(
    self,
    lanes: Sequence[SingleEnv],
    spaces: Spaces,
    *,
    return_range: tuple[float, float],
    action_repeat: int = 1,
    max_episode_steps: int = 0,
  ):
    """Takes over the lanes.

    Args:
      lanes: alike but for their randomness.
      spaces: of one of them.
      return_range: see `HostEnvironments`.
      action_repeat: steps of a lane in a decision.
      max_episode_steps: decisions after which an episode is truncated; 0 for
        none.
    """
    self._lanes = list(lanes)
    self.spaces = spaces
    self.num_envs = len(self._lanes)
    self.return_range = return_range
    self.frames_per_step = action_repeat
    self.can_copy = all(lane.can_copy for lane in self._lanes)
    self._limit = max_episode_steps
    self._steps = np.zeros(self.num_envs, np.int64)

  def begin(self, seeds: np.ndarray) -> np.ndarray:
    self._steps[:] = 0
    observation = self._empty()
    for i, lane in enumerate(self._lanes):
      lane.begin(int(seeds[i]))
      observation[i] = lane.observe()
    return observation

  def step(self, actions: np.ndarray) -> Step:
    observation = self._empty()
    reward = np.empty(self.num_envs, np.float32)
    discount = np.empty(self.num_envs, np.float32)
    last = np.empty(self.num_envs, bool)
    self._steps += 1
    for i, lane in enumerate(self._lanes):
      outcome = self._decide(lane, actions[i])
      reward[i], discount[i], last[i] = outcome
      if self._limit and self._steps[i] >= self._limit:
        last[i] = True
      observation[i] = lane.observe()
    following = observation
    if last.any():
      following = observation.copy()
      for i in np.flatnonzero(last):
        self._steps[i] = 0
        self._lanes[i].reset()
        following[i] = self._lanes[i].observe()
    return Step(observation, reward, discount, last, following, reward)

  def _decide(self, lane: SingleEnv, action: np.ndarray) -> Outcome:
    total, discount, last = lane.advance(action)
    for _ in range(self.frames_per_step - 1):
      if last:
        break
      reward, factor, last = lane.advance(action)
      total, discount = total + reward, discount * factor
    return Outcome(total, discount, last)

  def get_state(self) -> dict[str, np.ndarray]:
    states = [lane.get_state() for lane in self._lanes]
    # SyncVectorEnv may have keys of any name.
    stacked = {
      f'lane_{key}': np.stack([s[key] for s in states]) for key in states[0]
    }
    return {'steps': self._steps.copy(), **stacked}

  def set_state(self, state: dict[str, np.ndarray]) -> None:
    self._steps[:] = state['steps']
    for i, lane in enumerate(self._lanes):
      lane.set_state(
        {
          key.removeprefix('lane_'): value[i]
          for key, value in state.items()
          if key != 'steps'
        }
      )

  def close(self) -> None:
    for lane in self._lanes:
      lane.close()

  def _empty(self) -> np.ndarray:
    shape = (self.num_envs, *self.spaces.observation_shape)
    return np.empty(shape, self.spaces.observation_dtype)


class FrameStack:
  """A lane that sees its last observations, on the last axis, newest last.

  At the start of an episode the first observation fills the stack.
  """

  def __init__(self, lane: SingleEnv, number: int):
    self._lane = lane
    self._number = number
    self._stack: np.ndarray | None = None
    self.can_copy = lane.can_copy
    self.advance: Callable[[np.ndarray], Outcome] = lane.advance
    self.close = lane.close

  def begin(self, seed: int) -> None:
    self._stack = None
    self._lane.begin(seed)

  def reset(self) -> None:
    self._stack = None
    self._lane.reset()

  def observe(self) -> np.ndarray:
    frame = self._lane.observe()
    if self._stack is None:
      self._stack = np.concatenate([frame] * self._number, -1)
    else:
      older = self._stack[..., frame.shape[-1] :]
      self._stack = np.concatenate([older, frame], -1)
    return self._stack

  def get_state(self) -> dict[str, np.ndarray]:
    inner = self._lane.get_state()
    return {
      'stack': self._stack.copy(),
      **{f'frame_{key}': value for key, value in inner.items()},
    }

  def set_state(self, state: dict[str, np.ndarray]) -> None:
    self._stack = state['stack'].copy()
    self._lane.set_state(
      {
        key.removeprefix('frame_'): value
        for key, value in state.items()
        if key != 'stack'
      }
    )
