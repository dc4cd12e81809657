"""The interface of environments on the host, N of them stepped together."""

from typing import NamedTuple, Protocol

import numpy as np

from plasticity_rl.environments.spaces import Spaces


class Step(NamedTuple):
  """One step of N environments; each array is `[N, ...]`.

  Attributes:
    observation: after the action; if an episode ended, its last observation.
    reward: float32, for learning: clipped, if that is the protocol.
    discount: float32: 0 after a termination (and after a lost life, if that is
      the protocol), otherwise 1, also after a truncation.
    last: bool, whether the episode ended here, by termination or truncation.
    next_observation: what the agent acts on next: the first observation of the
      next episode if `last`, otherwise `observation`.
    score: float32, the game's unclipped reward, from which returns are summed.
  """

  observation: np.ndarray
  reward: np.ndarray
  discount: np.ndarray
  last: np.ndarray
  next_observation: np.ndarray
  score: np.ndarray


class HostEnvironments(Protocol):
  """N environments on the host.

  Attributes:
    spaces: of each environment.
    num_envs: N.
    return_range: lowest and highest return to expect of an episode: a scale
      for margins, not a bound.
    range_frames: frames that such returns take, of which an episode that is cut
      earlier has a share (`episode_cut.return_range`); 0 if a cut changes
      nothing.
    frames_per_step: frames, or simulator steps, for each decision: the action
      repeat.
    can_copy: whether `get_state` and `set_state` make an exact copy. An
      environment that cannot be copied starts new episodes at each point where
      the run can be resumed.
  """

  spaces: Spaces
  num_envs: int
  return_range: tuple[float, float]
  range_frames: int
  frames_per_step: int
  can_copy: bool

  def begin(self, seeds: np.ndarray) -> np.ndarray:
    """Starts a new episode in each; all randomness follows from `seeds`.

    Args:
      seeds: uint32 `[N]`.

    Returns:
      The first observations, `[N, ...]`.
    """

  def step(self, actions: np.ndarray) -> Step:
    """Takes one decision in each; after an episode ends, the next begins.

    Args:
      actions: int32 `[N]`, or float32 `[N, A]` in [-1, 1].
    """

  def get_state(self) -> dict[str, np.ndarray]:
    """A copy of the complete state, each array `[N, ...]`."""

  def set_state(self, state: dict[str, np.ndarray]) -> None:
    """Restores a state that `get_state` returned, here or elsewhere."""

  def close(self) -> None:
    """Frees threads, windows and contexts."""
