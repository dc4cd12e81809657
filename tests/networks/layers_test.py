"""Layers start as Haiku's, and keep their norms beside their weights."""

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from plasticity_rl.networks import initializers
from plasticity_rl.networks import layers

KEY = jax.random.PRNGKey(0)
IMAGES = jax.random.normal(KEY, [2, 9, 9, 3])
NEITHER = layers.Norms()
BOTH = layers.Norms(layer=True, weight=True)


def build(kind, norms=NEITHER, units=6, **options):
  """`(init, apply)` of one layer of six units, called 'name'."""

  def forward(x):
    if kind == 'dense':
      return layers.Dense(units, norms, 'name', **options)(x)
    return layers.Convolution(units, 4, 2, 'slices', norms, 'name', **options)(
      x
    )

  return hk.without_apply_rng(hk.transform(forward))


@pytest.mark.parametrize(
  'kind, theirs',
  (
    ('dense', lambda x: hk.Linear(6, name='name')(x.reshape(2, -1))),
    (
      'convolution',
      lambda x: hk.Conv2D(6, 4, 2, padding='VALID', name='name')(x),
    ),
  ),
)
def test_initialised_as_haiku_does(kind, theirs):
  a = build(kind).init(KEY, IMAGES)
  b = hk.transform(theirs).init(KEY, IMAGES)
  assert jax.tree.structure(a) == jax.tree.structure(b)
  for name in ('w', 'b'):
    np.testing.assert_array_equal(a['name'][name], b['name'][name])
  assert np.std(a['name']['w']) > 0
  # The norms draw nothing, so that weights stay those.
  normed = build(kind, BOTH).init(KEY, IMAGES)['name']
  assert set(normed) == {'w', 'b', 'g', 'scale', 'offset'}
  np.testing.assert_array_equal(normed['w'], b['name']['w'])
  assert {normed[k].shape for k in ('g', 'scale', 'offset')} == {(6,)}


@pytest.mark.parametrize(
  'kind, fan_in',
  (
    ('dense', 9 * 9 * 3),
    ('convolution', 4 * 4 * 3),
  ),
)
def test_uniform_weights_and_biases_are_those_of_dqn(kind, fan_in):
  draw = initializers.make('uniform')
  params = build(kind, units=1000, initializer=draw).init(KEY, IMAGES)['name']
  for x in (params['w'], params['b']):
    # Uniform on [0, 1]: mean, variance and ends.
    u = (np.ravel(x) * fan_in**0.5 + 1) / 2
    assert 0 <= u.min() < 0.01 and 0.99 < u.max() <= 1
    np.testing.assert_allclose(u.mean(), 0.5, atol=0.03)
    np.testing.assert_allclose(u.var(), 1 / 12, rtol=0.06)
  corner = np.ravel(params['w'])[:1000]
  assert abs(np.corrcoef(corner, params['b'])[0, 1]) < 0.1
  orthogonal = initializers.make('orthogonal')
  for other in (orthogonal, initializers.make('truncated_normal')):
    params = build(kind, initializer=other).init(KEY, IMAGES)['name']
    assert not params['b'].any()


@pytest.mark.parametrize('kind', ('dense', 'convolution'))
def test_weight_norm_starts_as_the_plain_layer(kind):
  plain = build(kind)
  normed = build(kind, layers.Norms(weight=True))
  params = normed.init(KEY, IMAGES)
  expected = plain.apply(plain.init(KEY, IMAGES), IMAGES)
  np.testing.assert_allclose(
    normed.apply(params, IMAGES), expected, rtol=1e-5, atol=1e-6
  )
  # Twice as long a w is the same layer, twice the g another.
  for name, factor in (('w', 1.0), ('g', 2.0)):
    changed = {'name': {**params['name'], name: 2 * params['name'][name]}}
    np.testing.assert_allclose(
      normed.apply(changed, IMAGES), factor * expected, rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize('kind', ('dense', 'convolution'))
def test_layer_norm_is_of_each_example_by_itself(kind):
  normed = build(kind, layers.Norms(layer=True))
  params = normed.init(KEY, IMAGES)
  y = normed.apply(params, IMAGES * 3)
  axes = tuple(range(1, y.ndim))
  np.testing.assert_allclose(y.mean(axes), 0, atol=1e-5)
  np.testing.assert_allclose(y.std(axes), 1, rtol=1e-3)
  alone = normed.apply(params, IMAGES[:1] * 3)
  np.testing.assert_allclose(alone, y[:1], rtol=1e-4, atol=1e-5)
  # Scale and offset are of units.
  moved = {
    **params['name'],
    'scale': jnp.arange(6.0),
    'offset': 10 * jnp.arange(6.0),
  }
  np.testing.assert_allclose(
    normed.apply({'name': moved}, IMAGES * 3),
    y * np.arange(6) + 10 * np.arange(6),
    rtol=1e-4,
    atol=1e-4,
  )
