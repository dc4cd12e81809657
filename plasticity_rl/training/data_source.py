"""Data sources: where the data of updates on the device come from.

A data source is the only difference between reinforcement and supervised
learning. Updates, events and forks are the same code for both.
"""

import abc
from typing import Any, Self

import jax

from plasticity_rl.shard import Shard
from plasticity_rl.types import Counters
from plasticity_rl.types import Key
from plasticity_rl.types import Transition

Metrics = dict[str, jax.Array]


class DataSource(abc.ABC):
  """Pure functions for one seed; counters are shared by all seeds.

  Attributes:
    steps_per_row: steps that `collect` makes.
    return_range: lowest and highest return to expect.
    transition_bytes: memory of a transition in the replay.
    is_sharded: whether each of D devices has environments and a replay of its
      own, `[E / D, ...]` and `[R, E / D, ...]`, rather than the same as all.
  """

  steps_per_row: int = 1
  return_range: tuple[float, float]
  transition_bytes: int = 0
  is_sharded: bool = False

  @abc.abstractmethod
  def on(self, shard: Shard) -> Self:
    """The same source for devices that share each batch."""

  @abc.abstractmethod
  def init(self, key: Key) -> tuple[Any, Any]:
    """Environments and replay at the start. The key is consumed."""

  @abc.abstractmethod
  def collect(
    self, key: Key, nets: Any, env: Any, replay: Any, counters: Counters
  ) -> tuple[Any, Any, Metrics]:
    """One row of data.

    Args:
      key: consumed.
      nets: the networks that act, or an `Acting`.
      env: environments.
      replay: to which the row is added.
      counters: before the row.

    Returns:
      Environments, replay and metrics.
    """

  @abc.abstractmethod
  def advance(self, counters: Counters) -> Counters:
    """Counters after a row."""

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
    """A batch, by default of the size of updates. The key is consumed."""

  @abc.abstractmethod
  def evaluate(self, key: Key, nets: Any, env: Any) -> Metrics:
    """Separate episodes on the current task. The key is consumed.

    Returns:
      At least 'eval/return' and 'eval/steps', the decisions of all episodes.
    """
