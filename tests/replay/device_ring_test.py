"""The ring beside a plain Python list."""

import functools

import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import strategies as st

from plasticity_rl.replay.device_ring import DeviceRing
from plasticity_rl.replay.device_ring import Row
from plasticity_rl.types import Counters

ROWS, ENVS, GAMMA = 5, 2, 0.5
KEY = jax.random.PRNGKey(8)
SAMPLES = 512  # Of at most 10 transitions: to miss one is out of the question.


@functools.cache
def compiled(n_step):
  ring = DeviceRing(ROWS, SAMPLES, n_step, GAMMA)
  return ring, jax.jit(ring.add), jax.jit(ring.sample)


def counters(stored, cleared):
  return Counters(*(jnp.array(x) for x in (0, 0, stored, cleared)))


class Naive:
  """A list of everything that was ever written."""

  def __init__(self, n_step):
    self.n_step, self.rows, self.cleared = n_step, [], 0

  def transitions(self):
    """What may be sampled: observation -> (action, r, discount, next)."""
    stored = len(self.rows)
    first = max(self.cleared, stored - ROWS)
    found = {}
    for begin in range(first, stored - self.n_step + 1):
      for env in range(ENVS):
        r, discount = 0.0, 1.0
        for k in range(self.n_step):
          _, _, reward, d, s_t, last = (x[env] for x in self.rows[begin + k])
          r += discount * reward
          discount *= GAMMA * d
          if last:
            break
        s_tm1, action = self.rows[begin][0][env], self.rows[begin][1][env]
        found[s_tm1] = (action, r, discount, s_t)
    return found


# An environment's step: reward, and how it ends ('' where it goes on).
STEPS = st.tuples(
  st.integers(-3, 3), st.sampled_from(['', '', '', 'terminated', 'cut'])
)
HISTORIES = st.lists(
  st.tuples(
    st.lists(STEPS, min_size=ENVS, max_size=ENVS),
    st.booleans().flatmap(  # Seldom is the ring emptied before the row.
      lambda x: st.booleans() if x else st.just(False)
    ),
  ),
  min_size=1,
  max_size=14,
)


@pytest.mark.parametrize('n_step', (1, 3))
@hypothesis.settings(max_examples=40, deadline=None, derandomize=True)
@hypothesis.given(history=HISTORIES)
def test_samples_what_a_list_would_give(n_step, history):
  ring, add, sample = compiled(n_step)
  row = Row(
    *(
      np.zeros([ENVS], t)
      for t in ('float32', 'int32', 'float32', 'float32', 'float32', 'bool')
    )
  )
  state, naive = ring.init(row), Naive(n_step)
  for t, (steps, clear) in enumerate(history):
    if clear:
      naive.cleared = t
    # The last observation is no step's first one: it has to be kept itself.
    s_tm1 = [float(100 * t + 10 * env) for env in range(ENVS)]
    row = Row(
      np.array(s_tm1, np.float32),
      np.array([t + env for env in range(ENVS)], np.int32),
      np.array([r for r, _ in steps], np.float32),
      np.array([how != 'terminated' for _, how in steps], np.float32),
      np.array(s_tm1, np.float32) + 1,
      np.array([how != '' for _, how in steps]),
    )
    state = add(state, counters(t, naive.cleared), row)
    naive.rows.append([x.tolist() for x in row])
  now = counters(len(naive.rows), naive.cleared)
  assert ring.num_stored(now) == min(len(naive.rows) - naive.cleared, ROWS)
  expected = naive.transitions()
  if not expected:
    return
  batch = sample(KEY, state, now)
  found = {
    s_tm1: rest
    for s_tm1, *rest in zip(*(x.tolist() for x in batch), strict=True)
  }
  assert {k: tuple(v) for k, v in found.items()} == expected


def test_uniform_over_rows_and_environments():
  ring = DeviceRing(num_rows=7, batch_size=21_000, n_step=2, discount=0.9)
  ids = np.arange(21, dtype=np.float32).reshape(7, 3)
  zeros = np.zeros([7, 3], np.float32)
  state = Row(ids, zeros, zeros, zeros, ids, zeros.astype(bool))
  # Ten rows were written: the oldest is in place 3, the newest in place 2
  # begins no window of two.
  batch = ring.sample(KEY, state, counters(10, 0))
  count = np.bincount(batch.s_tm1.astype(int), minlength=21)
  count = count.reshape(7, 3)
  assert (count[2] == 0).all()
  observed = np.delete(count, 2, axis=0).ravel()
  chi_square = ((observed - 21_000 / 18) ** 2 / (21_000 / 18)).sum()
  assert chi_square < 40.8  # 99.9 % quantile for 17 degrees of freedom.
  # And each is followed by the row written after it.
  np.testing.assert_array_equal(batch.s_t, (batch.s_tm1 + 3) % 21)


def test_batch_size_and_key_decide_the_sample():
  ring = DeviceRing(num_rows=4, batch_size=3, n_step=1, discount=0.9)
  ids = jnp.arange(4.0)[:, None]
  zeros = jnp.zeros([4, 1])
  state = Row(ids, zeros, zeros, zeros, ids, zeros.astype(bool))
  now = counters(4, 0)
  assert ring.sample(KEY, state, now).s_tm1.shape == (3,)
  sample = jax.jit(lambda key: ring.sample(key, state, now, 64).s_tm1)
  one, other = sample(KEY), sample(jax.random.PRNGKey(9))
  np.testing.assert_array_equal(one, sample(KEY))
  assert one.shape == (64,) and (one != other).any()


def test_observations_keep_their_dtype_and_structure():
  ring = DeviceRing(num_rows=3, batch_size=2, n_step=1, discount=0.9)
  ones = np.ones([ENVS], np.float32)
  seen = {'board': np.ones([ENVS, 2, 2], bool), 'clock': ones}
  row = Row(seen, ones, ones, ones, seen, ones.astype(bool))
  state = ring.add(ring.init(row), counters(0, 0), row)
  assert state.s_tm1['board'].shape == (3, ENVS, 2, 2)
  batch = ring.sample(KEY, state, counters(1, 0))
  assert batch.s_tm1['board'].dtype == bool
  assert batch.s_t['board'].shape == (2, 2, 2) and batch.s_t['board'].all()
