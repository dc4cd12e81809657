"""Which single weights are drawn again, and what becomes of the rest."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import plasticity_rl as pl
from plasticity_rl.layers import Layer
from plasticity_rl.methods import selective_weight_reinitialization as swr

KEY = jax.random.PRNGKey(1)
LAYERS = pl.declare_layers({'first': ['first'], 'last': ['last']})


def init(key):
  keys = jax.random.split(key, 4)
  return {
    name: {
      'w': jax.random.normal(keys[i], shape),
      'b': jax.random.normal(keys[i + 2], shape[1:]),
    }
    for i, (name, shape) in enumerate({'first': (6, 8), 'last': (8, 3)}.items())
  }


PARAMS, GRADIENT = init(jax.random.PRNGKey(2)), init(jax.random.PRNGKey(3))


def test_the_threshold_is_a_share_of_the_mean_of_each_array():
  optimizer = optax.adam(0.1)
  opt_state = jax.tree.map(lambda x: x + 5, optimizer.init(PARAMS))
  target = jax.tree.map(lambda x: x + 1, PARAMS)
  new = pl.selective_weight_reinitialization(
    KEY,
    PARAMS,
    GRADIENT,
    LAYERS,
    init=init,
    factor=0.5,
    target=target,
    opt_state=opt_state,
    initial=target,
  )
  total = 0
  for name in PARAMS:
    for k in 'wb':
      w, u = PARAMS[name][k], np.abs(PARAMS[name][k] * GRADIENT[name][k])
      chosen = u <= 0.5 * u.mean()
      total += chosen.sum()
      np.testing.assert_array_equal(new.params[name][k] != w, chosen)
      for tree in (new.target, new.initial):
        np.testing.assert_array_equal(
          tree[name][k],
          np.where(chosen, new.params[name][k], target[name][k]),
        )
      for moments in (new.opt_state[0].mu, new.opt_state[0].nu):
        np.testing.assert_array_equal(moments[name][k], np.where(chosen, 0, 5))
  assert 20 < total < 70
  assert new.opt_state[0].count == 5  # Of a single group.


@pytest.mark.parametrize('factor', (0.0, 0.25, 1.0))
def test_a_number_of_the_lowest(factor):
  u = jnp.abs(init(KEY)['first']['w'])
  chosen = swr.choose(KEY, u, 'proportional', factor)
  assert chosen.sum() == 48 * factor
  if 0 < factor < 1:
    assert u[chosen].max() < u[~chosen].min()


def test_the_rest_of_a_number_is_a_probability():
  u = jnp.arange(10.0)
  keys = jax.random.split(KEY, 2000)
  numbers = jax.vmap(
    lambda key: swr.choose(key, u, 'proportional', 0.23).sum()
  )(keys)
  assert set(np.unique(numbers)) == {2, 3}
  assert 0.26 < (numbers == 3).mean() < 0.34


def test_by_magnitude_no_gradient_is_needed():
  new = pl.selective_weight_reinitialization(
    KEY,
    PARAMS,
    None,
    LAYERS[:1],
    init=init,
    utility='magnitude',
    factor=0.5,
  )
  w = np.abs(PARAMS['first']['w'])
  np.testing.assert_array_equal(
    new.params['first']['w'] != PARAMS['first']['w'], w <= 0.5 * w.mean()
  )
  # A layer that is not declared stays.
  jax.tree.map(
    np.testing.assert_array_equal, new.params['last'], PARAMS['last']
  )


def test_each_member_of_an_ensemble_by_itself():
  """A member of large utilities does not make all of another's small."""
  params = {'m': {'w': jnp.stack([jnp.ones([4, 2]), 100 * jnp.ones([4, 2])])}}
  gradient = jax.tree.map(jnp.ones_like, params)
  layers = [Layer(f'm.{m}', ('m',), member=m, bias=None) for m in range(2)]
  new = pl.selective_weight_reinitialization(
    KEY,
    params,
    gradient,
    layers,
    init=lambda key: {'m': {'w': jax.random.normal(key, [2, 4, 2])}},
    factor=0.5,
  )
  jax.tree.map(np.testing.assert_array_equal, new.params, params)


def test_where_nothing_has_a_gradient_everything_is_drawn_again():
  new = pl.selective_weight_reinitialization(
    KEY, PARAMS, jax.tree.map(jnp.zeros_like, PARAMS), LAYERS, init=init
  )
  for a, b in zip(
    jax.tree.leaves(new.params), jax.tree.leaves(PARAMS), strict=True
  ):
    assert np.all(a != b)
