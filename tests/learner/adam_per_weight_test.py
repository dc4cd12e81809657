"""Adam by weight, beside optax's."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from plasticity_rl import injection
from plasticity_rl.learner.adam_per_weight import scale_by_adam_per_weight

OPTIONS = {'b1': 0.9, 'b2': 0.99, 'eps': 1e-6}
OURS = scale_by_adam_per_weight(**OPTIONS)
THEIRS = optax.scale_by_adam(**OPTIONS)
PARAMS = {'w': jnp.ones([3, 4]), 'b': jnp.zeros([4])}


def gradients(step):
  rng = np.random.default_rng(step)
  return jax.tree.map(
    lambda x: rng.normal(size=x.shape).astype(np.float32), PARAMS
  )


def run(optimizer, state, steps):
  update = jax.jit(optimizer.update)
  for step in steps:
    updates, state = update(gradients(step), state)
  return updates, state


@pytest.mark.parametrize('steps', (1, 2, 30))
def test_is_adam_where_nothing_is_reset(steps):
  ours, state = run(OURS, OURS.init(PARAMS), range(steps))
  theirs, _ = run(THEIRS, THEIRS.init(PARAMS), range(steps))
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(1e-3 * a, 1e-3 * b, atol=1e-7),
    ours,
    theirs,
  )
  assert (state.count['w'] == steps).all()


def test_weights_that_are_reset_restart_as_fresh_ones():
  _, state = run(OURS, OURS.init(PARAMS), range(20))
  unit = 2  # All that leads into one unit.
  state = jax.tree.map(lambda x: x.at[..., unit].set(0), state)
  ours, _ = run(OURS, state, range(20, 23))
  fresh, _ = run(THEIRS, THEIRS.init(PARAMS), range(20, 23))
  never, _ = run(THEIRS, THEIRS.init(PARAMS), range(23))
  for name in PARAMS:
    for i in range(4):
      wanted = fresh if i == unit else never
      np.testing.assert_allclose(
        ours[name][..., i], wanted[name][..., i], rtol=2e-5
      )


def test_the_head_of_a_single_group_restarts_as_well():
  """Its count is the head's own, unlike that of `optax.adam`."""
  split = injection.SplitNetwork(
    lambda key, x: {'w': jnp.ones([2, 3])},
    lambda p, x: x @ p['w'],
    lambda key, x: {'v': jax.random.normal(key, [3, 1])},
    lambda p, x: x @ p['v'],
  )
  params = split.init(jax.random.PRNGKey(0), jnp.ones([1, 2]))
  optimizer = injection.masked(OURS)
  state = optimizer.init(params)
  for _ in range(3):
    _, state = optimizer.update(jax.tree.map(jnp.ones_like, params), state)
  _, state = injection.inject(
    jax.random.PRNGKey(1), split, params, optimizer, state
  )
  count = state[0].inner_state.count
  assert (count['encoder']['w'] == 3).all()
  assert (count['head'].trainable['v'] == 0).all()


def test_gradients_of_another_shape_are_refused():
  state = OURS.init(PARAMS)
  wrong = {**gradients(0), 'b': np.ones([1], np.float32)}
  with pytest.raises(AssertionError):  # It would broadcast.
    OURS.update(wrong, state)
