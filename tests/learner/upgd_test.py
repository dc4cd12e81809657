"""UPGD beside NumPy, and its noise."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from plasticity_rl import injection
from plasticity_rl import settings
from plasticity_rl.learner import optimizers
from plasticity_rl.learner.upgd import scale_by_upgd

PARAMS = {'w': jnp.array([[1.0, -2.0], [0.5, 3.0]]), 'b': jnp.array([0.0, 1.0])}
GRADIENTS = jax.tree.map(
  jnp.float32,
  (
    {'w': np.array([[0.1, 0.4], [-0.3, -0.2]]), 'b': np.array([0.7, -0.1])},
    {'w': np.array([[-0.2, 0.1], [0.5, 0.3]]), 'b': np.array([-0.4, 0.6])},
    {'w': np.array([[-0.9, -0.6], [0.1, 0.2]]), 'b': np.array([0.2, 0.5])},
  ),
)


def by_hand(steps, decay):
  """The last update, without noise, of parameters that stay."""
  utility = {k: np.zeros(v.shape) for k, v in PARAMS.items()}
  for g in GRADIENTS[:steps]:
    utility = {
      k: decay * utility[k]
      - (1 - decay) * np.asarray(g[k]) * np.asarray(PARAMS[k])
      for k in utility
    }
  corrected = {k: u / (1 - decay**steps) for k, u in utility.items()}
  largest = max(u.max() for u in corrected.values())
  assert largest > 0
  return {k: 2 * g[k] / (1 + np.exp(corrected[k] / largest)) for k in corrected}


@pytest.mark.parametrize('decay', (0.0, 0.9))
@pytest.mark.parametrize('steps', (1, 2, 3))
def test_without_noise_by_hand(steps, decay):
  optimizer = scale_by_upgd(decay, noise=0.0)
  state = optimizer.init(PARAMS)
  for g in GRADIENTS[:steps]:
    updates, state = optimizer.update(g, state, PARAMS)
  for name, wanted in by_hand(steps, decay).items():
    np.testing.assert_allclose(updates[name], wanted, rtol=1e-5)


def mean_so_far(decay, values):
  """Exponentially weighted, of weights that add up to one."""
  ages = np.arange(len(values))[::-1]
  return np.average(values, axis=0, weights=decay**ages)


@pytest.mark.parametrize('steps', (1, 3))
def test_along_adam_by_hand(steps):
  b1, b2, eps, decay = 0.9, 0.99, 1e-5, 0.9
  optimizer = scale_by_upgd(decay, 0.0, optax.scale_by_adam(b1, b2, eps))
  state = optimizer.init(PARAMS)
  for g in GRADIENTS[:steps]:
    updates, state = optimizer.update(g, state, PARAMS)
  along_gradient = by_hand(steps, decay)
  for name, update in updates.items():
    g = [np.asarray(each[name]) for each in GRADIENTS[:steps]]
    mu = mean_so_far(b1, g)
    nu = mean_so_far(b2, np.square(g))
    wanted = mu / (np.sqrt(nu) + eps) * along_gradient[name] / g[-1]
    np.testing.assert_allclose(update, wanted, rtol=1e-5)


def test_useful_weights_move_less():
  optimizer = scale_by_upgd(0.0, noise=0.0)
  w, g = jnp.array([1.0, 0.0, -1.0]), -jnp.ones([3])
  updates, _ = optimizer.update(g, optimizer.init(w), w)
  # The first is as useful as any, the second of no use, the third a burden.
  np.testing.assert_allclose(
    updates, [-2 / (1 + np.e), -1.0, -2 / (1 + 1 / np.e)], rtol=1e-6
  )


def test_order_of_utilities_holds_where_none_is_positive():
  optimizer = scale_by_upgd(0.0, noise=0.0)
  w, g = jnp.array([0.5, 2.0]), jnp.ones([2])
  updates, _ = optimizer.update(g, optimizer.init(w), w)
  assert 1 < updates[0] < updates[1] < 2
  nothing, _ = optimizer.update(0 * g, optimizer.init(w), w)
  assert (nothing == 0).all()


def test_noise_is_of_its_scale_and_new_at_each_update():
  optimizer = scale_by_upgd(0.9, noise=0.5)
  w = jnp.zeros([100, 50])
  state = optimizer.init(w)
  draws = []
  for _ in range(2):
    updates, state = optimizer.update(jnp.zeros_like(w), state, w)
    draws.append(np.asarray(updates).ravel())  # 2 * 0.5 xi / 2.
  for draw in draws:
    np.testing.assert_allclose([draw.mean(), draw.std()], [0, 0.5], atol=0.02)
  assert abs(np.corrcoef(*draws)[0, 1]) < 0.05


def key_of(params):
  return np.asarray(scale_by_upgd().init(params).key).tolist()


def test_key_is_another_for_other_weights_and_the_same_for_the_same():
  assert key_of(PARAMS) == key_of(jax.tree.map(jnp.copy, PARAMS))
  other = {**PARAMS, 'b': PARAMS['b'] + 1e-6}
  assert key_of(PARAMS) != key_of(other)
  keys = jax.vmap(lambda w: scale_by_upgd().init(w).key)(
    jnp.arange(6.0).reshape(3, 2)
  )
  assert len(np.unique(keys, axis=0)) == 3


def test_weights_decay_by_the_learning_rate_times_their_size():
  optimizer = optimizers.make(
    settings.OptimizerConfig(
      name='upgd', learning_rate=0.1, noise=0.0, weight_decay=0.5
    )
  )
  params = {'encoder': {}, 'head': {'w': jnp.array([2.0, -4.0])}}
  updates, _ = optimizer.update(
    jax.tree.map(jnp.zeros_like, params), optimizer.init(params), params
  )
  np.testing.assert_allclose(updates['head']['w'], [-0.1, 0.2], rtol=1e-6)


def test_injection_draws_the_heads_noise_anew_and_keeps_the_encoders():
  split = injection.SplitNetwork(
    lambda key, x: {'w': jax.random.normal(key, [2, 3])},
    lambda p, x: x @ p['w'],
    lambda key, x: {'v': jax.random.normal(key, [3, 1])},
    lambda p, x: x @ p['v'],
  )
  params = split.init(jax.random.PRNGKey(0), jnp.ones([1, 2]))
  optimizer = optimizers.make(settings.OptimizerConfig(name='upgd'))
  state = optimizer.init(params)
  _, state = optimizer.update(
    jax.tree.map(jnp.ones_like, params), state, params
  )
  _, new = injection.inject(
    jax.random.PRNGKey(1), split, params, optimizer, state
  )

  def upgd(state, group):
    return state[group][0].inner_state[0]

  before, after = upgd(state, 'encoder'), upgd(new, 'encoder')
  jax.tree.map(np.testing.assert_array_equal, after, before)
  head = upgd(new, 'head')
  assert head.key.dtype == jnp.uint32
  assert (head.key != upgd(state, 'head').key).any()
  assert (head.key != after.key).any()
  assert (head.utility.trainable['v'] == 0).all()


def test_gradients_of_another_shape_are_refused():
  optimizer = scale_by_upgd()
  wrong = {**GRADIENTS[0], 'b': jnp.ones([1])}
  with pytest.raises(AssertionError):  # It would broadcast.
    optimizer.update(wrong, optimizer.init(PARAMS), PARAMS)
