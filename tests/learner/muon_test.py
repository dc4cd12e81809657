"""Muon beside a singular value decomposition, optax's and Adam."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from optax import contrib

from plasticity_rl.learner.muon import orthogonalize
from plasticity_rl.learner.muon import scale_by_muon

KEY = jax.random.PRNGKey(4)


def normal(i, *shape):
  return jax.random.normal(jax.random.fold_in(KEY, i), shape)


@pytest.mark.parametrize('shape', ((5, 7), (30, 10), (1, 4), (16, 16)))
def test_singular_values_become_about_one_and_vectors_stay(shape):
  matrix = np.asarray(normal(0, *shape)) * 1e3
  u, s, vt = np.linalg.svd(matrix, full_matrices=False)
  found = np.asarray(orthogonalize(jnp.array(matrix)))
  inside = u.T @ found @ vt.T
  values = np.diag(inside)
  large = s > 0.01 * np.linalg.norm(s)
  assert large.any()
  assert ((values[large] > 0.65) & (values[large] < 1.25)).all(), values
  np.testing.assert_allclose(inside - np.diag(values), 0, atol=1e-3)
  np.testing.assert_array_equal(orthogonalize(jnp.zeros(shape)), 0)


@pytest.mark.parametrize('shape', ((6, 4), (3, 9)))
def test_is_optaxs_of_a_first_gradient(shape):
  """Later ones differ by its bias corrections."""
  gradients = {'w': normal(1, *shape)}
  theirs = contrib.scale_by_muon(
    weight_dimension_numbers=lambda tree: jax.tree.map(
      lambda _: contrib.MuonDimensionNumbers(), tree
    )
  )
  wanted, _ = theirs.update(gradients, theirs.init(gradients))
  ours = scale_by_muon()
  found, _ = ours.update(gradients, ours.init(gradients), gradients)
  size = 0.2 * max(shape) ** 0.5
  # (Versions of optax have another factor of the shape.)
  factor = np.linalg.norm(wanted['w']) / np.linalg.norm(found['w'])
  np.testing.assert_allclose(
    found['w'] * factor, wanted['w'], rtol=1e-3, atol=1e-4
  )
  np.testing.assert_allclose(
    found['w'], size * orthogonalize(gradients['w']), rtol=1e-5
  )


def test_momentum_looks_a_step_ahead():
  gradients = [{'w': normal(i, 4, 6)} for i in range(3)]
  optimizer = scale_by_muon(0.9)
  state = optimizer.init(gradients[0])
  m = np.zeros([4, 6])
  for g in gradients:
    updates, state = optimizer.update(g, state, g)
    m = 0.9 * m + 0.1 * np.asarray(g['w'])
    wanted = orthogonalize(jnp.array(0.9 * m + 0.1 * np.asarray(g['w'])))
    np.testing.assert_allclose(
      updates['w'], 0.2 * 6**0.5 * wanted, rtol=1e-3, atol=1e-4
    )


def test_filters_are_flattened_and_members_are_matrices_each():
  optimizer = scale_by_muon()

  def update(w):
    tree = {'layer': {'w': w}}
    return optimizer.update(tree, optimizer.init(tree), tree)[0]['layer']['w']

  filters = normal(2, 3, 2, 4, 5)
  np.testing.assert_allclose(
    update(filters).reshape(24, 5), update(filters.reshape(24, 5)), rtol=1e-5
  )
  members = normal(3, 2, 6, 4) * jnp.array([1.0, 100.0])[:, None, None]
  np.testing.assert_allclose(
    update(members), jnp.stack([update(w) for w in members]), rtol=1e-4
  )


def test_all_else_is_adams():
  tree = {
    'b': normal(4, 4),
    'scale': normal(5, 4),
    'members': {'b': normal(6, 2, 4), 'w': normal(7, 2, 3, 4)},
  }
  adam = optax.scale_by_adam(0.8, 0.9, 1e-3)
  optimizer = scale_by_muon(other=adam)
  state, theirs = optimizer.init(tree), adam.init(tree)
  for i in range(3):
    gradients = jax.tree.map(lambda x, i=i: x * (i - 1.5), tree)
    found, state = optimizer.update(gradients, state, tree)
    wanted, theirs = adam.update(gradients, theirs)
  np.testing.assert_allclose(found['b'], wanted['b'], rtol=1e-6)
  np.testing.assert_allclose(found['scale'], wanted['scale'], rtol=1e-6)
  np.testing.assert_allclose(
    found['members']['b'], wanted['members']['b'], rtol=1e-6
  )
  assert not np.allclose(found['members']['w'], wanted['members']['w'])


def test_updates_are_as_large_as_adams():
  """A condition number as of gradients of a layer; the mean is 0.2."""
  for shape in ((256, 64), (64, 256), (100, 100)):
    tree = {'w': normal(8, *shape)}
    optimizer = scale_by_muon()
    found, _ = optimizer.update(tree, optimizer.init(tree), tree)
    rms = float(jnp.sqrt(jnp.mean(jnp.square(found['w']))))
    assert 0.15 < rms < 0.25, shape
