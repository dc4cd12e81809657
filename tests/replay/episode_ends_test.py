"""No place is taken by two ends that a ring holds at the same time."""

import hypothesis
import jax.numpy as jnp
import numpy as np
from hypothesis import strategies as st

from plasticity_rl.replay.episode_ends import EndPlaces


@hypothesis.settings(max_examples=300, deadline=None, derandomize=True)
@hypothesis.given(
  num_rows=st.integers(1, 12),
  shortest=st.integers(1, 15),
  task=st.integers(0, 8),
  lengths=st.lists(st.integers(0, 4), min_size=1, max_size=30),
)
def test_ends_that_are_held_together_have_places_of_their_own(
  num_rows, shortest, task, lengths
):
  places = EndPlaces(num_rows, shortest, task)
  ends, begin = [], 0
  for more in lengths:
    end = begin + shortest - 1 + more
    if task:  # The switch may cut it.
      end = min(end, (begin // task + 1) * task - 1)
    ends.append(end)
    begin = end + 1
  found = places.of(np.array(ends), np)
  assert (found >= 0).all() and (found < places.count).all()
  for i, end in enumerate(ends):
    together = [found[j] for j in range(i + 1) if end - ends[j] < num_rows]
    assert len(set(together)) == len(together)
  np.testing.assert_array_equal(places.of(jnp.array(ends)), found)


def test_they_are_few():
  assert EndPlaces(1000).count == 1000
  assert EndPlaces(1000, 10).count == 101
  assert EndPlaces(1000, 2**31 - 1).count == 2
  assert EndPlaces(1000, 10, 300).count == 105
