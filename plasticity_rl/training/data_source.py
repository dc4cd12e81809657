"""Data sources: they collect and sample the data of updates on the device.

Reinforcement and supervised learning differ only in their data source. Updates,
events and forks are the same code for both.
"""

import abc
from typing import Any, Self

import jax

from plasticity_rl.replay.device_ring import DeviceRing
from plasticity_rl.shard import Shard
from plasticity_rl.types import Counters
from plasticity_rl.types import Key
from plasticity_rl.types import Transition

Metrics = dict[str, jax.Array]


class DataSource(abc.ABC):
  """Pure functions for one seed; counters are shared by all seeds.

  Attributes:
    steps_per_row: agent decisions in one call of `collect`.
    frames_per_step: frames in a decision, the action repeat.
    return_range: lowest and highest return to expect of what is evaluated, in
      episodes that evaluation.max_steps may cut.
    ring: settings of the replay; None for a data set.
    transition_bytes: bytes of the replay for each transition.
    is_sharded: whether environments and replay are sharded over D devices, as
      `[E / D, ...]` and `[R, E / D, ...]`. Otherwise all devices have the same.
  """

  steps_per_row: int = 1
  frames_per_step: int = 1
  return_range: tuple[float, float]
  ring: DeviceRing | None = None
  transition_bytes: float = 0
  is_sharded: bool = False

  @abc.abstractmethod
  def on(self, shard: Shard) -> Self:
    """Returns the same source for devices that share each batch."""

  @abc.abstractmethod
  def init(self, key: Key) -> tuple[Any, Any]:
    """Initialises environments and replay. The key is consumed."""

  @abc.abstractmethod
  def collect(
    self, key: Key, nets: Any, env: Any, replay: Any, counters: Counters
  ) -> tuple[Any, Any, Metrics]:
    """Collects one row of data: one step of every environment.

    Args:
      key: consumed.
      nets: the networks that choose actions, or an `Acting`.
      env: the environments.
      replay: the replay, to which the row is added.
      counters: the counters before the row.

    Returns:
      Environments, replay and metrics.
    """

  @abc.abstractmethod
  def advance(self, counters: Counters) -> Counters:
    """Returns the counters after a row."""

  @abc.abstractmethod
  def ready(self, counters: Counters) -> jax.Array:
    """Whether there are enough data for updates, bool `[]`."""

  @abc.abstractmethod
  def sample(
    self,
    key: Key,
    env: Any,
    replay: Any,
    counters: Counters,
    batch_size: int | None = None,
  ) -> Transition:
    """Samples a batch, by default one for an update. The key is consumed."""

  @abc.abstractmethod
  def evaluate(self, key: Key, nets: Any, env: Any) -> Metrics:
    """Evaluates in separate episodes on the current task.

    Args:
      key: consumed.
      nets: the networks.
      env: the environments, which hold the task.

    Returns:
      Metrics, with at least 'eval/return', the mean return, and 'eval/steps',
      the number of agent decisions in all episodes.
    """
