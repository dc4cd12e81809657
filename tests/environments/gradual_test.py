"""From task to task, in as many steps as a task lasts."""

import jax
import numpy as np

from plasticity_rl.environments import gradual

KEY = jax.random.PRNGKey(0)


def test_a_change_goes_from_task_to_task():
  change = gradual.begin(KEY, jax.random.normal)
  assert change.before != change.after
  shares = []
  for _ in range(6):
    shares.append(float(gradual.share(change, 4)))
    change = gradual.step(change)
  np.testing.assert_array_equal(shares, [0, 0.25, 0.5, 0.75, 1, 1])
  following = gradual.switch(KEY, change, jax.random.normal)
  assert following.before == change.after
  assert following.after == jax.random.normal(KEY)
  assert following.steps == 0
