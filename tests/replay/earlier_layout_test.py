"""A ring that an earlier version saved goes on as if it were today's."""

import jax
import numpy as np
import pytest

from plasticity_rl.replay import earlier_layout
from plasticity_rl.replay.device_ring import DeviceRing
from plasticity_rl.replay.device_ring import Row
from plasticity_rl.types import Counters

SEEDS, ENVS, ROWS = 2, 3, 7
BITS = jax.ShapeDtypeStruct((3, 3), 'bool')
FLOAT = jax.ShapeDtypeStruct((2,), 'float32')


def rows_of(observation, count, rng):
  """Rows `[T, S, E, ...]`: random observations, ends every fourth row."""
  lead = (count + 1, SEEDS, ENVS)
  seen = rng.random((*lead, *observation.shape))
  if observation.dtype == bool:
    seen = seen < 0.5
  seen = seen.astype(observation.dtype)
  last = np.zeros((count, SEEDS, ENVS), bool)
  for seed in range(SEEDS):
    for env in range(ENVS):
      last[3 + seed :: 4 + env, seed, env] = True
  after = np.where(
    last.reshape(*last.shape, *[1] * len(observation.shape)),
    ~seen[1:] if observation.dtype == bool else -seen[1:],
    seen[1:],
  )
  return Row(
    seen[:-1],
    rng.integers(0, 4, last.shape).astype(np.int32),
    rng.random(last.shape).astype(np.float32),
    (~last).astype(np.float32),
    after,
    last,
  )


@pytest.mark.parametrize('observation', [BITS, FLOAT], ids=['bits', 'float'])
@pytest.mark.parametrize('stored', [0, 1, 4, 7, 8, 20])
def test_holds_the_same_rows_and_goes_on(observation, stored):
  ring = DeviceRing(ROWS, 4, 1, 0.9, observation, shortest_episode=4)
  rows = rows_of(observation, stored + ROWS, np.random.default_rng(stored))
  # Every row in place number mod R, as it was.
  saved = jax.tree.map(
    lambda x: np.zeros((SEEDS, ROWS, *x.shape[2:]), x.dtype), rows
  )
  for number in range(stored):
    for old, new in zip(saved, rows, strict=True):
      old[:, number % ROWS] = new[number]
  found = earlier_layout.converted(ring, saved, np.array(stored))
  actions = jax.ShapeDtypeStruct((ENVS,), 'int32')
  empty = jax.eval_shape(
    lambda: jax.vmap(lambda _: ring.init(actions))(np.zeros(SEEDS))
  )
  assert jax.tree.map(lambda x: (x.shape, x.dtype), found) == jax.tree.map(
    lambda x: (x.shape, x.dtype), empty
  )
  assert jax.tree.map(
    lambda x: (x.shape, x.dtype), earlier_layout.shapes(ring, empty)
  ) == jax.tree.map(lambda x: (x.shape, x.dtype), saved)

  def check(now):
    numbers = np.arange(max(0, now - ROWS), now)
    held = jax.vmap(lambda one: ring.rows(one, numbers))(found)
    for a, b in zip(held, rows, strict=True):
      np.testing.assert_array_equal(a, b[numbers].swapaxes(0, 1))

  if stored:
    check(stored)
  add = jax.jit(jax.vmap(ring.add, in_axes=(0, None, 0)))
  for number in range(stored, stored + ROWS):
    counters = Counters(*(np.int32(x) for x in (0, 0, number, 0)))
    found = add(found, counters, jax.tree.map(lambda x, i=number: x[i], rows))
    check(number + 1)


def test_is_told_by_the_leaves_of_a_checkpoint():
  assert earlier_layout.is_saved({'replay.s_t': [], 'replay.s_tm1': []})
  assert not earlier_layout.is_saved({'replay.observations': []})
