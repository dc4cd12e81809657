"""FIRE: Newton-Schulz beside the singular values, and what it leaves alone."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import plasticity_rl as pl
from plasticity_rl.methods import fire
from plasticity_rl.weight_norm import weight_normalization

RNG = np.random.default_rng(0)


def with_singular_values(rows, columns, values):
  u, _ = np.linalg.qr(RNG.standard_normal((rows, rows)))
  v, _ = np.linalg.qr(RNG.standard_normal((columns, columns)))
  return ((u[:, : len(values)] * values) @ v[: len(values)]).astype(np.float32)


def isometry(w):
  """The polar factor by a singular value decomposition, in double precision."""
  u, _, v = np.linalg.svd(np.asarray(w, np.float64), full_matrices=False)
  return u @ v


def after(x, iterations):
  """A singular value of a matrix of norm 1 after so many iterations."""
  for _ in range(iterations):
    x = 1.5 * x - 0.5 * x**3
  return x


each_shape = pytest.mark.parametrize(
  'rows, columns', ((7, 7), (12, 5), (5, 12), (6, 1), (1, 6))
)


@each_shape
def test_a_well_conditioned_matrix_becomes_its_polar_factor(rows, columns):
  values = np.linspace(1, 3, min(rows, columns))
  w = with_singular_values(rows, columns, values)
  found = fire.polar(jnp.array(w), 10)
  np.testing.assert_allclose(found, isometry(w), atol=2e-5)


@pytest.mark.parametrize('iterations', (1, 5, 10, 30))
@each_shape
def test_singular_values_follow_the_polynomial(rows, columns, iterations):
  values = np.geomspace(1, 1e-3, min(rows, columns))
  w = with_singular_values(rows, columns, values)
  found = np.linalg.svd(fire.polar(jnp.array(w), iterations), compute_uv=False)
  wanted = after(values / np.linalg.norm(values), iterations)
  np.testing.assert_allclose(found, np.sort(wanted)[::-1], rtol=1e-3)
  # And they are those of the same directions.
  u, _, v = np.linalg.svd(w.astype(np.float64), full_matrices=False)
  np.testing.assert_allclose(
    fire.polar(jnp.array(w), iterations), (u * wanted) @ v, atol=1e-4
  )


@pytest.mark.parametrize(
  'iterations, reaches', ((10, 0.036), (20, 0.0006)), ids=str
)
def test_the_docstring_says_how_far_the_iterations_reach(iterations, reaches):
  assert after(1.1 * reaches, iterations) > 0.99 > after(reaches, iterations)
  assert 57 < after(1e-6, 10) / 1e-6 < 58
  for number in ('0.036', '0.0006', '58'):
    assert number in fire.fire.__doc__


def test_zeros_stay_zeros():
  assert not np.any(fire.polar(jnp.zeros([3, 4]), 10))


LAYERS = pl.declare_layers({'conv': ['conv'], 'dense': ['dense']})


def two_layers(seed):
  rng = np.random.default_rng(seed)
  return jax.tree.map(
    lambda shape: rng.standard_normal(shape).astype(np.float32),
    {
      'conv': {'w': (2, 3, 4, 6), 'b': (6,), 'scale': (6,)},
      'dense': {'w': (24, 6), 'b': (6,)},
    },
    is_leaf=lambda x: isinstance(x, tuple),
  )


def test_kernels_position_by_position_and_biases_not_at_all():
  params, target = two_layers(0), two_layers(1)
  new = pl.fire(params, LAYERS, iterations=40, target=target)
  w = new.params['conv']['w']
  scale = (6 / 4) ** 0.5 / 6
  for i in range(2):
    for j in range(3):
      wanted = scale * isometry(params['conv']['w'][i, j])
      np.testing.assert_allclose(w[i, j], wanted, atol=1e-5)
  np.testing.assert_allclose(
    new.params['dense']['w'], 0.5 * isometry(params['dense']['w']), atol=1e-5
  )
  for layer in params:
    np.testing.assert_array_equal(
      new.target[layer]['w'], new.params[layer]['w']
    )
    for key in set(params[layer]) - {'w'}:
      np.testing.assert_array_equal(new.params[layer][key], params[layer][key])
      np.testing.assert_array_equal(new.target[layer][key], target[layer][key])
  assert new.opt_state is new.initial is None


def test_some_layers():
  params = two_layers(0)
  new = pl.fire(params, LAYERS[:1])
  np.testing.assert_array_equal(new.params['dense']['w'], params['dense']['w'])
  assert not np.array_equal(new.params['conv']['w'], params['conv']['w'])
  assert new.target is None


def test_with_weight_normalisation_what_multiplies_is_the_isometry():
  rng = np.random.default_rng(2)
  layer = {
    'w': rng.standard_normal((8, 4), np.float32),
    'g': rng.uniform(1, 9, 4).astype(np.float32),
  }
  multiplied = weight_normalization(layer['w'], layer['g'])
  layers = pl.declare_layers({'only': ['only']}, bias=None)
  new = pl.fire({'only': layer}, layers, iterations=40).params['only']
  np.testing.assert_allclose(
    weight_normalization(new['w'], new['g']),
    0.5**0.5 * isometry(multiplied),
    atol=1e-5,
  )


def test_again_changes_nothing():
  once = pl.fire(two_layers(0), LAYERS, iterations=40).params
  twice = pl.fire(once, LAYERS, iterations=40).params
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), once, twice
  )
