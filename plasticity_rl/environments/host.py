"""The interface of environments that run on the host, many stepped together."""

from typing import NamedTuple, Protocol

import numpy as np

from plasticity_rl.environments.spaces import Spaces


class Step(NamedTuple):
  """What N environments answer to an action each, `[N, ...]`.

  Attributes:
    observation: after the action; the true last one where an episode ended.
    reward: float32, to learn from: clipped, if that is the protocol.
    discount: float32: 0 after a termination (and a lost life, if that is the
      protocol), 1 otherwise, after a truncation too.
    last: bool, whether the episode ended here, for whatever reason.
    next_observation: what the agent sees next: the first observation of the
      next episode where `last`, `observation` otherwise.
    score: float32, the game's own reward, of which returns are made.
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
    spaces: of one of them.
    num_envs: N.
    return_range: lowest and highest return to expect of an episode: a scale
      for margins, not a bound.
    frames_per_step: frames (simulator steps at an action repeat of one) of a
      decision.
    can_copy: whether `get_state` and `set_state` make an exact copy. Those
      that cannot be copied are begun again where a run can be resumed.
  """

  spaces: Spaces
  num_envs: int
  return_range: tuple[float, float]
  frames_per_step: int
  can_copy: bool

  def begin(self, seeds: np.ndarray) -> np.ndarray:
    """Starts new episodes everywhere; all randomness follows from `seeds`.

    Args:
      seeds: uint32 `[N]`.

    Returns:
      The first observations, `[N, ...]`.
    """

  def step(self, actions: np.ndarray) -> Step:
    """One decision everywhere; an episode that ends is followed by the next.

    Args:
      actions: int32 `[N]`, or float32 `[N, A]` in [-1, 1].
    """

  def get_state(self) -> dict[str, np.ndarray]:
    """All that the future depends on, each `[N, ...]`, as a copy."""

  def set_state(self, state: dict[str, np.ndarray]) -> None:
    """Goes on exactly from what `get_state` returned, here or elsewhere."""

  def close(self) -> None:
    """Frees what the environments hold: threads, windows, contexts."""
