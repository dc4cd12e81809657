"""A ring buffer of transitions on the device, used inside jit.

One row holds one step of every parallel environment. The position of the next
row follows from the run's counters, which all seeds share, so writing a row is
a contiguous update and never a scatter. An observation is held once: the one
after a step is the one before the next step, and where an episode ends there it
has a place of its own (`episode_ends`). Booleans are held as bits.
"""

import dataclasses
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from plasticity_rl.replay import bits
from plasticity_rl.replay.episode_ends import EndPlaces
from plasticity_rl.shard import UNSHARDED
from plasticity_rl.shard import Shard
from plasticity_rl.types import Counters
from plasticity_rl.types import Key
from plasticity_rl.types import Transition


class Row(NamedTuple):
  """One step of E environments, `[E, ...]`.

  Attributes:
    s_tm1: observation before the action.
    a_tm1: action.
    r_t: reward.
    discount_t: the environment's discount: 0 after a termination, else 1.
    s_t: observation after the action; at an episode's end, its last one.
    last: whether the episode ended here, by termination or truncation.
  """

  s_tm1: Any
  a_tm1: Any
  r_t: Any
  discount_t: Any
  s_t: Any
  last: Any


class RingState(NamedTuple):
  """The last R rows of E environments.

  Attributes:
    observations: `[R + 1 + F, E, ...]`, booleans as bits. Row i, counted from
      the first one ever written, has the one before its action in place
      i mod (R + 1), and so the one after it in the place of row i + 1, unless
      an episode ended: then in one of the F places at the end.
    a_tm1: actions, `[R, E, ...]`, in place i mod R, as all others.
    r_t: rewards, `[R, E]`.
    discount_t: the environment's discounts, `[R, E]`.
    last: whether an episode ended, `[R, E]`.
  """

  observations: Any
  a_tm1: jax.Array
  r_t: jax.Array
  discount_t: jax.Array
  last: jax.Array


@dataclasses.dataclass(frozen=True)
class DeviceRing:
  """Static settings of the ring.

  Attributes:
    num_rows: rows kept; times the environments, this is the capacity.
    batch_size: transitions in a sample.
    n_step: rewards summed in a transition.
    discount: gamma.
    observation: shape and dtype of an observation; any pytree of these.
    shortest_episode: steps that each episode takes at least, unless a switch
      of the task cuts it. The larger it is, the less memory is needed.
    rows_per_task: rows between switches of the task; 0 for a single task.
  """

  num_rows: int
  batch_size: int
  n_step: int
  discount: float
  observation: Any
  shortest_episode: int = 1
  rows_per_task: int = 0

  @property
  def ends(self) -> EndPlaces:
    """The places of the last observations of episodes."""
    return EndPlaces(self.num_rows, self.shortest_episode, self.rows_per_task)

  @property
  def num_observations(self) -> int:
    """Observations held of each environment."""
    return self.num_rows + 1 + self.ends.count

  def init(self, actions: Any) -> RingState:
    """An empty ring for actions `[E, ...]` (an array or its shape)."""
    rows = (self.num_rows, actions.shape[0])
    observations = (self.num_observations, actions.shape[0])

    def empty(observation):
      one = bits.stored(observation)
      return jnp.zeros((*observations, *one.shape), one.dtype)

    return RingState(
      jax.tree.map(empty, self.observation),
      jnp.zeros((*rows, *actions.shape[1:]), actions.dtype),
      jnp.zeros(rows),
      jnp.zeros(rows),
      jnp.zeros(rows, bool),
    )

  def transition_bytes(self, actions: Any) -> float:
    """Bytes of the ring for each transition, for actions as in `init`."""
    ring = jax.eval_shape(lambda: self.init(actions))
    total = sum(
      math.prod(x.shape) * np.dtype(x.dtype).itemsize
      for x in jax.tree.leaves(ring)
    )
    return total / (self.num_rows * actions.shape[0])

  def add(self, ring: RingState, counters: Counters, row: Row) -> RingState:
    """Writes a row over the oldest one."""
    number = counters.stored
    here, after = (
      place % (self.num_rows + 1) for place in (number, number + 1)
    )
    end = self._end_place(number)

    def write(x, value, place):
      return jax.lax.dynamic_update_index_in_dim(x, value, place, 0)

    def write_observations(x, observation, s_tm1, s_t):
      s_tm1, s_t = (bits.pack(s, observation) for s in (s_tm1, s_t))
      # Where no episode ends, the place may hold the end of another row.
      kept = jax.lax.dynamic_index_in_dim(x, end, 0, keepdims=False)
      last = jnp.expand_dims(row.last, tuple(range(1, s_t.ndim)))
      x = write(x, jnp.where(last, s_t, kept), end)
      # Both, since an episode may begin at a row, and since the newest row has
      # none after it.
      return write(write(x, s_tm1, here), s_t, after)

    return RingState(
      jax.tree.map(
        write_observations,
        ring.observations,
        self.observation,
        row.s_tm1,
        row.s_t,
      ),
      *(
        write(getattr(ring, name), getattr(row, name), number % self.num_rows)
        for name in RingState._fields[1:]
      ),
    )

  def num_stored(self, counters: Counters) -> jax.Array:
    """Rows that can be sampled, scalar int32."""
    return jnp.minimum(counters.stored - counters.cleared, self.num_rows)

  def sample(
    self,
    key: Key,
    ring: RingState,
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
      s_tm1=self._observations(ring, first, env, False),
      a_tm1=at(ring.a_tm1, 0),
      r_t=r_t,
      discount_t=discount_t,
      # A window ends before its n rows only with an episode.
      s_t=self._observations(ring, first + final + 1, env, ~alive),
    )

  def rows(self, ring: RingState, numbers: Any) -> Row:
    """Rows `[T, E, ...]` by their numbers `[T]`, counted from the first ever.

    They must be among the last `num_rows` rows.
    """
    place = numbers % self.num_rows
    number = jnp.asarray(numbers)[:, None]
    env = jnp.arange(ring.r_t.shape[1])
    last = ring.last[place]
    return Row(
      s_tm1=self._observations(ring, number, env, False),
      a_tm1=ring.a_tm1[place],
      r_t=ring.r_t[place],
      discount_t=ring.discount_t[place],
      s_t=self._observations(ring, number + 1, env, last),
      last=last,
    )

  def _observations(self, ring, number, env, is_end):
    """Those before the rows `number`; `is_end` after the row before, rather."""
    place = jnp.where(
      is_end, self._end_place(number - 1), number % (self.num_rows + 1)
    )
    return jax.tree.map(
      lambda x, observation: bits.unpack(x[place, env], observation),
      ring.observations,
      self.observation,
    )

  def _end_place(self, number):
    return self.num_rows + 1 + self.ends.of(number)
