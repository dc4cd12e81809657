"""A ring buffer of transitions on the device, used inside jit.

One row holds one step of every parallel environment. The position of the next
row follows from the run's counters, which all seeds share, so writing a row is
a contiguous update and never a scatter.
"""

import dataclasses
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from plasticity_rl.environments.spaces import Spaces
from plasticity_rl.shard import UNSHARDED
from plasticity_rl.shard import Shard
from plasticity_rl.types import Counters
from plasticity_rl.types import Key
from plasticity_rl.types import Transition


class Row(NamedTuple):
  """One step of E environments; in the ring, `[R, E, ...]`.

  Attributes:
    s_tm1: observation before the action.
    a_tm1: action.
    r_t: reward.
    discount_t: the environment's discount: 0 after a termination, else 1.
    s_t: observation after the action; at an episode's end, its last one.
    last: whether the episode ended here, by termination or truncation.
  """

  s_tm1: Any
  a_tm1: jax.Array
  r_t: jax.Array
  discount_t: jax.Array
  s_t: Any
  last: jax.Array


def transition_bytes(spaces: Spaces) -> int:
  """Bytes of a transition. It holds two observations."""
  observation = (
    math.prod(spaces.observation_shape)
    * np.dtype(spaces.observation_dtype).itemsize
  )
  # Action, reward, discount; the end.
  return 2 * observation + (spaces.actions.width + 2) * 4 + 1


@dataclasses.dataclass(frozen=True)
class DeviceRing:
  """Static settings of the ring.

  Attributes:
    num_rows: rows kept; times the environments, this is the capacity.
    batch_size: transitions in a sample.
    n_step: rewards summed in a transition.
    discount: gamma.
  """

  num_rows: int
  batch_size: int
  n_step: int
  discount: float

  def init(self, row: Row) -> Row:
    """An empty ring for rows like `row` (arrays or their shapes)."""
    return jax.tree.map(
      lambda x: jnp.zeros((self.num_rows, *x.shape), x.dtype), row
    )

  def add(self, ring: Row, counters: Counters, row: Row) -> Row:
    """Writes a row over the oldest one."""
    head = counters.stored % self.num_rows
    return jax.tree.map(
      lambda x, r: jax.lax.dynamic_update_index_in_dim(x, r, head, 0),
      ring,
      row,
    )

  def num_stored(self, counters: Counters) -> jax.Array:
    """Rows that can be sampled, scalar int32."""
    return jnp.minimum(counters.stored - counters.cleared, self.num_rows)

  def sample(
    self,
    key: Key,
    ring: Row,
    counters: Counters,
    batch_size: int | None = None,
    shard: Shard = UNSHARDED,
  ) -> Transition:
    """Uniform n-step transitions, with replacement. The key is consumed.

        r_t = sum_{k<n} (prod_{j<k} gamma d_j) r_k,  discount_t = prod gamma d

    over n rows, beginning at the sampled one and ending early with the last
    step of an episode. At least `n_step` rows must be stored. Only the part of
    the batch that belongs to `shard` is returned.
    """
    size = self.num_stored(counters)
    shape = (batch_size or self.batch_size,)
    num_envs = ring.r_t.shape[1]
    row_key, env_key = jax.random.split(key)
    age = jax.random.randint(row_key, shape, 0, size - self.n_step + 1)
    first = counters.stored - size + age
    env = jax.random.randint(env_key, shape, 0, num_envs)
    first, env = shard.of((first, env))
    shape = env.shape

    def at(x, offset):
      return x[(first + offset) % self.num_rows, env]

    r_t = jnp.zeros(shape)
    discount_t = jnp.ones(shape)
    alive = jnp.ones(shape, bool)
    final = jnp.zeros(shape, jnp.int32)
    for k in range(self.n_step):
      r_t += jnp.where(alive, discount_t * at(ring.r_t, k), 0)
      discount_t *= jnp.where(alive, self.discount * at(ring.discount_t, k), 1)
      final = jnp.where(alive, k, final)
      alive &= ~at(ring.last, k)
    return Transition(
      s_tm1=jax.tree.map(lambda x: at(x, 0), ring.s_tm1),
      a_tm1=at(ring.a_tm1, 0),
      r_t=r_t,
      discount_t=discount_t,
      s_t=jax.tree.map(lambda x: at(x, final), ring.s_t),
    )
