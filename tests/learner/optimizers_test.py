"""Grouped optimizers beside optax's own on the same gradients."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from plasticity_rl import injection
from plasticity_rl import settings
from plasticity_rl.learner import optimizers
from plasticity_rl.settings import config as config_lib

KEY = jax.random.PRNGKey(7)
CONFIG = settings.OptimizerConfig(
  learning_rate=0.01, b1=0.8, b2=0.95, eps=1e-3, decay=0.9, weight_decay=0.1
)


def params_of(key):
  keys = jax.random.split(key, 3)
  return {
    'encoder': {'w': jax.random.normal(keys[0], [3, 2])},
    'head': {
      'w': jax.random.normal(keys[1], [2, 4]),
      'b': jax.random.normal(keys[2], [4]),
    },
  }


def trajectory(optimizer, steps=5):
  """Parameters after steps on gradients of very different sizes."""
  update = jax.jit(optimizer.update)
  params = params_of(KEY)
  state = optimizer.init(params)
  for i in range(steps):
    gradients = jax.tree.map(
      lambda g, i=i: g * 10.0 ** (i - 2),
      params_of(jax.random.fold_in(KEY, i)),
    )
    updates, state = update(gradients, state, params)
    params = optax.apply_updates(params, updates)
  return params


@pytest.mark.parametrize(
  'name, theirs',
  (
    ('adam', optax.adam(0.01, 0.8, 0.95, 1e-3)),
    ('adamw', optax.adamw(0.01, 0.8, 0.95, 1e-3, weight_decay=0.1)),
    ('rmsprop_centered', optax.rmsprop(0.01, 0.9, 1e-3, centered=True)),
    ('sgd', optax.sgd(0.01)),
    ('adam_per_weight', optax.adam(0.01, 0.8, 0.95, 1e-3)),
  ),
)
@pytest.mark.parametrize('clip', (0.0, 2.0))
def test_is_optaxs(name, theirs, clip):
  # Clipped by the norm of encoder and head together.
  config = dataclasses.replace(CONFIG, name=name, max_gradient_norm=clip)
  if clip:
    theirs = optax.chain(optax.clip_by_global_norm(clip), theirs)
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7),
    trajectory(optimizers.make(config)),
    trajectory(theirs),
  )


def test_every_name_of_the_settings_is_made():
  params = params_of(KEY)
  limits = config_lib.setting_limits('dqn', 'catch')['optimizer.name']
  for name in limits.choices:
    optimizer = optimizers.make(dataclasses.replace(CONFIG, name=name))
    assert set(optimizer.init(params)) == {'before', 'encoder', 'head', 'after'}


def test_clipping_does_not_see_frozen_heads():
  params = params_of(KEY)
  head = injection.InjectedHead(
    params['head'],
    jax.tree.map(lambda x: x[None], params['head']),
    jnp.ones([1]),
  )
  config = dataclasses.replace(CONFIG, name='sgd', max_gradient_norm=1.0)
  injected = {**params, 'head': head}
  optimizer = optimizers.make(config)
  gradients = jax.tree.map(jnp.ones_like, injected)
  gradients['head'] = dataclasses.replace(
    gradients['head'],
    frozen=jax.tree.map(lambda x: x * 1e6, gradients['head'].frozen),
  )
  updates, _ = optimizer.update(gradients, optimizer.init(injected), injected)
  # 6 + 8 + 4 ones, of norm sqrt(18) clipped to 1.
  np.testing.assert_allclose(
    updates['encoder']['w'], np.full([3, 2], -0.01 / 18**0.5), rtol=1e-5
  )
  assert (updates['head'].frozen['w'] == 0).all()


def test_linear_decay_reads_updates_and_survives_a_reset():
  config = dataclasses.replace(
    CONFIG, name='sgd', learning_rate=1.0, decay_updates=4
  )
  optimizer = optimizers.make(config)
  params = params_of(KEY)
  gradients = jax.tree.map(jnp.ones_like, params)
  state = optimizer.init(params)
  rates = []
  for i in range(6):
    if i == 2:  # As interventions do: the groups anew, not the rest.
      fresh = optimizer.init(params)
      state = {**state, 'encoder': fresh['encoder'], 'head': fresh['head']}
    updates, state = optimizer.update(gradients, state, params)
    rates.append(-float(updates['head']['b'][0]))
  np.testing.assert_allclose(rates, [1, 0.75, 0.5, 0.25, 0, 0], atol=1e-7)
