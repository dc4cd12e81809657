"""The ring beside a plain Python list."""

import functools
import math

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
FLOAT = jax.ShapeDtypeStruct((), 'float32')
BITS = jax.ShapeDtypeStruct((3, 4), 'bool')  # No whole number of bytes.
ACTIONS = jax.ShapeDtypeStruct((ENVS,), 'int32')


@functools.cache
def compiled(n_step, shortest=1, task=0, observation=FLOAT):
  ring = DeviceRing(ROWS, SAMPLES, n_step, GAMMA, observation, shortest, task)
  return ring, jax.jit(ring.add), jax.jit(ring.sample)


def counters(stored, cleared):
  return Counters(*(jnp.array(x) for x in (0, 0, stored, cleared)))


def observed(numbers, observation):
  """Observations that say which number they are, `[..., *shape]`."""
  numbers = np.asarray(numbers)
  if observation.dtype == bool:
    size = math.prod(observation.shape)
    digits = numbers[..., None] >> np.arange(size) & 1
    return digits.astype(bool).reshape(*numbers.shape, *observation.shape)
  return numbers.astype(observation.dtype)


def rows_of(history, shortest, task):
  """Rows as environments give them: what follows, and what an end begins.

  An environment ends no episode of fewer than `shortest` steps; a switch of
  the task ends all of them.
  """
  new = iter(range(1, 10_000))
  now, steps = [next(new) for _ in range(ENVS)], [0] * ENVS
  rows = []
  for t, each in enumerate(history):
    s_tm1, s_t, last, discount = list(now), [], [], []
    for env, (_, how) in enumerate(each):
      steps[env] += 1
      ends = bool(how) and steps[env] >= shortest
      cut = ends or bool(task and (t + 1) % task == 0)
      s_t.append(next(new))
      last.append(cut)
      discount.append(float(not (ends and how == 'terminated')))
      now[env] = next(new) if cut else s_t[env]
      steps[env] *= not cut
    actions = [t + env for env in range(ENVS)]
    rewards = [float(r) for r, _ in each]
    rows.append((s_tm1, actions, rewards, discount, s_t, last))
  return rows


def drawn(key, size, stored, n_step):
  """Rows and environments that a key draws, `[SAMPLES]`."""
  row_key, env_key = jax.random.split(key)
  age = jax.random.randint(row_key, (SAMPLES,), 0, size - n_step + 1)
  env = jax.random.randint(env_key, (SAMPLES,), 0, ENVS)
  return (stored - size + np.asarray(age)).tolist(), np.asarray(env).tolist()


def transition(rows, begin, env, n_step):
  """s_tm1, action, r, discount, s_t of a window that begins at a row."""
  r, discount = 0.0, 1.0
  for row in rows[begin : begin + n_step]:
    _, _, reward, d, s_t, last = (x[env] for x in row)
    r += discount * reward
    discount *= GAMMA * d
    if last:
      break
  return rows[begin][0][env], rows[begin][1][env], r, discount, s_t


# An environment's step: reward, and how it ends ('' where it goes on).
STEPS = st.tuples(
  st.integers(-3, 3), st.sampled_from(['', '', 'terminated', 'cut'])
)
HISTORIES = st.lists(
  st.tuples(
    st.lists(STEPS, min_size=ENVS, max_size=ENVS),
    st.booleans().flatmap(  # Seldom is the ring emptied before the row.
      lambda x: st.booleans() if x else st.just(False)
    ),
  ),
  min_size=1,
  max_size=19,
)


@pytest.mark.parametrize('observation', (FLOAT, BITS), ids=('float', 'bits'))
@pytest.mark.parametrize('shortest, task', [(1, 0), (2, 0), (3, 4), (9, 2)])
@pytest.mark.parametrize('n_step', (1, 3))
@hypothesis.settings(max_examples=25, deadline=None, derandomize=True)
@hypothesis.given(history=HISTORIES)
def test_samples_what_a_list_would_give(
  n_step, shortest, task, observation, history
):
  """To the bit, and in the order that the key draws."""
  ring, add, sample = compiled(n_step, shortest, task, observation)
  state, cleared = ring.init(ACTIONS), 0
  rows = rows_of([steps for steps, _ in history], shortest, task)
  for t, (row, (_, clear)) in enumerate(zip(rows, history, strict=True)):
    if clear:
      cleared = t
    s_tm1, a_tm1, r_t, discount_t, s_t, last = row
    state = add(
      state,
      counters(t, cleared),
      Row(
        observed(s_tm1, observation),
        np.array(a_tm1, np.int32),
        np.array(r_t, np.float32),
        np.array(discount_t, np.float32),
        observed(s_t, observation),
        np.array(last),
      ),
    )
  stored = len(rows)
  now = counters(stored, cleared)
  size = min(stored - cleared, ROWS)
  assert ring.num_stored(now) == size
  if size < n_step:
    return
  found = sample(KEY, state, now)
  expected = [
    transition(rows, begin, env, n_step)
    for begin, env in zip(*drawn(KEY, size, stored, n_step), strict=True)
  ]
  s_tm1, a_tm1, r_t, discount_t, s_t = map(list, zip(*expected, strict=True))
  np.testing.assert_array_equal(found.s_tm1, observed(s_tm1, observation))
  np.testing.assert_array_equal(found.a_tm1, a_tm1)
  np.testing.assert_array_equal(found.r_t, r_t)
  np.testing.assert_array_equal(found.discount_t, discount_t)
  np.testing.assert_array_equal(found.s_t, observed(s_t, observation))
  # And so are the rows, of which all but an emptied ring's can be sampled.
  numbers = np.arange(max(0, stored - ROWS), stored)
  held = ring.rows(state, numbers)
  for name, values in zip(Row._fields, zip(*rows, strict=True), strict=True):
    values = np.array(values)[numbers]
    if name in ('s_tm1', 's_t'):
      values = observed(values, observation)
    np.testing.assert_array_equal(getattr(held, name), values, err_msg=name)


def filled(ids, n_step, batch_size, stored):
  """A ring whose newest rows observe `ids` `[R, E]`, in place, and no end."""
  rows, envs = ids.shape
  actions = jax.ShapeDtypeStruct((envs,), 'int32')
  ring = DeviceRing(rows, batch_size, n_step, 0.9, FLOAT)
  state = ring.init(actions)
  zeros = np.zeros(envs, np.float32)
  for number in range(stored - rows, stored):
    row = Row(
      ids[number % rows],
      zeros.astype(np.int32),
      zeros,
      zeros,
      ids[(number + 1) % rows],
      zeros.astype(bool),
    )
    state = ring.add(state, counters(number, 0), row)
  return ring, state, counters(stored, 0)


def test_uniform_over_rows_and_environments():
  # Ten rows were written: the oldest is in place 3, the newest in place 2
  # begins no window of two.
  ids = np.arange(21, dtype=np.float32).reshape(7, 3)
  ring, state, now = filled(ids, 2, 21_000, stored=10)
  batch = ring.sample(KEY, state, now)
  count = np.bincount(batch.s_tm1.astype(int), minlength=21)
  count = count.reshape(7, 3)
  assert (count[2] == 0).all()
  observed = np.delete(count, 2, axis=0).ravel()
  chi_square = ((observed - 21_000 / 18) ** 2 / (21_000 / 18)).sum()
  assert chi_square < 40.8  # 99.9 % quantile for 17 degrees of freedom.
  # And each is followed by what the second row observed after it.
  np.testing.assert_array_equal(batch.s_t, (batch.s_tm1 + 6) % 21)


def test_batch_size_and_key_decide_the_sample():
  ids = np.arange(4, dtype=np.float32)[:, None]
  ring, state, now = filled(ids, 1, 3, stored=4)
  assert ring.sample(KEY, state, now).s_tm1.shape == (3,)
  sample = jax.jit(lambda key: ring.sample(key, state, now, 64).s_tm1)
  one, other = sample(KEY), sample(jax.random.PRNGKey(9))
  np.testing.assert_array_equal(one, sample(KEY))
  assert one.shape == (64,) and (one != other).any()


def test_observations_keep_their_dtype_and_structure():
  ones = np.ones([ENVS], np.float32)
  seen = {'board': np.ones([ENVS, 2, 2], bool), 'clock': ones}
  observation = {
    k: jax.ShapeDtypeStruct(x.shape[1:], x.dtype) for k, x in seen.items()
  }
  ring = DeviceRing(3, 2, 1, 0.9, observation)
  row = Row(seen, ones, ones, ones, seen, ones.astype(bool))
  state = ring.add(ring.init(ones), counters(0, 0), row)
  assert state.observations['board'].shape[1:] == (ENVS, 1)  # Bits in a byte.
  batch = ring.sample(KEY, state, counters(1, 0))
  assert batch.s_tm1['board'].dtype == bool
  assert batch.s_t['board'].shape == (2, 2, 2) and batch.s_t['board'].all()


@pytest.mark.parametrize(
  'observation, shortest, expected',
  [
    # Twice, if every step may end an episode; else a tenth more than once.
    (jax.ShapeDtypeStruct((100,), 'float32'), 1, 2 * 400),
    (jax.ShapeDtypeStruct((100,), 'float32'), 10, 1.1 * 400),
    (jax.ShapeDtypeStruct((10, 10, 4), 'bool'), 10, 1.1 * 50),
  ],
)
def test_bytes_of_a_transition_are_those_that_are_held(
  observation, shortest, expected
):
  ring = DeviceRing(1000, 32, 1, 0.9, observation, shortest)
  found = ring.transition_bytes(ACTIONS)
  held = sum(x.nbytes for x in jax.tree.leaves(ring.init(ACTIONS)))
  assert found == held / (1000 * ENVS)
  np.testing.assert_allclose(found, expected + 13, rtol=0.01)
