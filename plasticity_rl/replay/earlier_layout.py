"""The layout of the ring on the device in checkpoints of earlier versions.

They hold both observations of every row, a byte for each boolean.
"""

from collections.abc import Collection
from typing import Any

import jax
import numpy as np

from plasticity_rl.replay import bits
from plasticity_rl.replay.device_ring import DeviceRing
from plasticity_rl.replay.device_ring import RingState
from plasticity_rl.replay.device_ring import Row


def is_saved(leaves: Collection[str]) -> bool:
  """Whether a checkpoint with leaves of these paths has this layout."""
  return 'replay.s_t' in leaves


def shapes(ring: DeviceRing, replay: RingState) -> Row:
  """Shapes of a replay in this layout.

  Args:
    ring: the settings of the replay; observations are single arrays.
    replay: its shapes today, `[S, ...]`.

  Returns:
    Shapes `[S, R, E, ...]`.
  """
  observations = jax.ShapeDtypeStruct(
    (*replay.r_t.shape, *ring.observation.shape), ring.observation.dtype
  )
  return Row(
    s_tm1=observations,
    a_tm1=replay.a_tm1,
    r_t=replay.r_t,
    discount_t=replay.discount_t,
    s_t=observations,
    last=replay.last,
  )


def converted(ring: DeviceRing, saved: Row, stored: Any) -> RingState:
  """A replay in today's layout.

  Args:
    ring: the settings of the replay.
    saved: NumPy arrays `[S, R, E, ...]`.
    stored: rows written so far, `[]`.

  Returns:
    NumPy arrays.
  """
  stored, num_rows = int(stored), ring.num_rows
  s_tm1, s_t = (
    bits.pack(x, ring.observation, np) for x in (saved.s_tm1, saved.s_t)
  )
  seeds, _, envs, *one = s_tm1.shape
  observations = np.zeros(
    (seeds, ring.num_observations, envs, *one), s_tm1.dtype
  )
  numbers = np.arange(max(0, stored - num_rows), stored)
  rows = numbers % num_rows
  observations[:, numbers % (num_rows + 1)] = s_tm1[:, rows]
  observations[:, stored % (num_rows + 1)] = s_t[:, (stored - 1) % num_rows]
  seed, i, env = np.nonzero(saved.last[:, rows])
  ends = num_rows + 1 + ring.ends.of(numbers, np)
  observations[seed, ends[i], env] = s_t[seed, rows[i], env]
  return RingState(
    observations, saved.a_tm1, saved.r_t, saved.discount_t, saved.last
  )
