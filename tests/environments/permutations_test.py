"""The way from one permutation to another."""

import jax
import numpy as np
import pytest

from plasticity_rl.environments import permutations

KEY = jax.random.PRNGKey(0)


def exchanged(before, after, count):
  """The same by exchanges, one after the other."""
  now = list(before)
  for place in range(count):
    source = now.index(after[place])
    now[place], now[source] = now[source], now[place]
  return now


@pytest.mark.parametrize('size', [1, 2, 3, 7, 50])
def test_exchanges_one_after_the_other(size):
  between = jax.jit(permutations.between)
  for seed in range(10):
    rng = np.random.default_rng(seed)
    before, after = (rng.permutation(size).astype(np.int32) for _ in range(2))
    for count in range(size + 1):
      np.testing.assert_array_equal(
        between(before, after, count), exchanged(before, after, count)
      )


def test_one_exchange_moves_two_elements_at_most():
  before, after = (permutations.draw(k, 30) for k in jax.random.split(KEY))
  way = np.array(
    [permutations.between(before, after, count) for count in range(31)]
  )
  np.testing.assert_array_equal(way[0], before)
  np.testing.assert_array_equal(way[-1], after)
  assert set((way[1:] != way[:-1]).sum(1)) <= {0, 2}


def test_draws_are_uniform():
  drawn = jax.vmap(lambda key: permutations.draw(key, 3))(
    jax.random.split(KEY, 6000)
  )
  assert drawn.dtype == np.int32
  _, counts = np.unique(np.asarray(drawn), axis=0, return_counts=True)
  assert len(counts) == 6 and abs(counts - 1000).max() < 130
