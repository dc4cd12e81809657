"""Where a replay keeps the last observations of episodes.

The observation after a step is the one before the next step, which a replay
holds anyway, except where an episode ends. Of these an environment has few: of
L rows in a row at most one ends an episode, if each takes L steps or more. So
each block of L rows has one place. A switch of the task may end an episode
after fewer steps, and has a place of its own. Places follow from the number of
the row alone and are the same for all environments and seeds.
"""

import dataclasses
from typing import Any

import jax.numpy as jnp


@dataclasses.dataclass(frozen=True)
class EndPlaces:
  """The places of a ring of `num_rows` rows.

  Attributes:
    num_rows: rows that the ring keeps.
    shortest_episode: steps that each episode takes at least, unless a switch
      of the task cuts it.
    rows_per_task: rows between switches of the task; 0 for a single task.
  """

  num_rows: int
  shortest_episode: int = 1
  rows_per_task: int = 0

  @property
  def _block(self) -> int:
    """Rows of a block; more than are kept make no difference."""
    return min(self.shortest_episode, self.num_rows)

  @property
  def _num_blocks(self) -> int:
    """Blocks that `num_rows` rows touch at most."""
    return (self.num_rows - 2) // self._block + 2

  @property
  def count(self) -> int:
    """Number of places."""
    if not self.rows_per_task:
      return self._num_blocks
    return self._num_blocks + -(-self.num_rows // self.rows_per_task)

  def of(self, row: Any, xp: Any = jnp) -> Any:
    """The places of rows, counted from the first one ever written.

    Args:
      row: integers of any shape.
      xp: `jax.numpy`, or `numpy` for arrays on the host.

    Returns:
      Integers below `count`.
    """
    within = row // self._block % self._num_blocks
    if not self.rows_per_task:
      return within
    cuts = self.count - self._num_blocks
    return xp.where(
      (row + 1) % self.rows_per_task == 0,
      self._num_blocks + row // self.rows_per_task % cuts,
      within,
    )
