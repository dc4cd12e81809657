"""Activations by hand, and in a network."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from plasticity_rl.errors import UserError
from plasticity_rl.networks import activations
from plasticity_rl.networks import sequential
from plasticity_rl.settings import config

X = jnp.array([[-2.0, 0.5]])
CONFIG = sequential.Sequential(
  observation_shape=(4, 3, 1),
  convolutions=((4, 2, 1),),
  hidden=(6,),
  num_outputs=2,
  split=-2,
)


@pytest.mark.parametrize(
  'name, expected',
  (
    ('relu', [0, 0.5]),
    ('crelu', [0, 0.5, 2, 0]),
    ('fourier', [np.sin(-2), np.sin(0.5), np.cos(-2), np.cos(0.5)]),
    ('leaky_relu', [-0.02, 0.5]),
    ('elu', [np.exp(-2) - 1, 0.5]),
    ('silu', [-2 / (1 + np.exp(2)), 0.5 / (1 + np.exp(-0.5))]),
    ('tanh', [np.tanh(-2), np.tanh(0.5)]),
  ),
)
def test_by_hand(name, expected):
  one = activations.ACTIVATIONS[name]
  np.testing.assert_allclose(one.function(X)[0], expected, rtol=1e-5)
  assert len(expected) == 2 * one.features_per_unit


def test_those_that_can_be_configured_exist():
  limits = config.setting_limits('dqn', 'catch')['network.activation']
  assert set(limits.choices) == set(activations.ACTIVATIONS)


@pytest.mark.parametrize(
  'width_counts, factor', (('features', 1), ('units', 2))
)
@pytest.mark.parametrize('name', ('crelu', 'fourier'))
def test_sizes_with_two_features_a_unit(name, width_counts, factor):
  config = dataclasses.replace(
    CONFIG, activation=name, width_counts=width_counts
  )
  assert sequential.image_sizes(config) == [(3, 2, 4 * factor)]
  network, layers = sequential.build(config)
  params = jax.eval_shape(network.init, jax.random.PRNGKey(0))
  units = {'conv_0': 2 * factor, 'dense_1': 3 * factor, 'dense_2': 2}
  inputs = {
    'conv_0': (2, 2, 1),
    'dense_1': (3 * 2 * 4 * factor,),
    'dense_2': (6 * factor,),
  }
  for layer in layers:
    group, where = layer.path
    w = params[group][where]['w']
    assert w.shape == (*inputs[layer.name], units[layer.name])
    assert layer.features_per_unit == (2 if layer.hidden else 1)
  output = jax.eval_shape(network.apply, params, jnp.ones([1, 4, 3, 1]))
  assert output.layers['conv_0'].shape == (1, 3, 2, 4 * factor)
  assert output.layers['dense_1'].shape == (1, 6 * factor)


@pytest.mark.parametrize('name', ('crelu', 'fourier'))
def test_features_of_a_unit_are_where_the_layer_says(name):
  """Another bias of unit i moves features i and i + units, and no others."""
  network, layers = sequential.build(
    dataclasses.replace(CONFIG, activation=name)
  )
  params = network.init(jax.random.PRNGKey(0))
  x = jax.random.normal(jax.random.PRNGKey(1), [5, 4, 3, 1])
  for layer in layers[:2]:
    group, where = layer.path
    own = params[group][where]
    units, unit = own['b'].size, 1
    changed = {
      **params,
      group: {**params[group], where: {**own, 'b': own['b'].at[unit].add(0.3)}},
    }
    before, after = (
      network.apply(p, x).layers[layer.name] for p in (params, changed)
    )
    moved = np.abs(after - before).reshape(-1, before.shape[-1]).max(0) > 0
    assert np.flatnonzero(moved).tolist() == [unit, unit + units]


def test_widths_that_cannot_be_halved_are_refused():
  for changes in ({'hidden': (6, 5)}, {'convolutions': ((3, 2, 1),)}):
    config = dataclasses.replace(CONFIG, activation='crelu', **changes)
    with pytest.raises(UserError, match='multiples of it: [53]; or let'):
      sequential.build(config)
    sequential.build(dataclasses.replace(config, width_counts='units'))
