"""Shrink and perturb by hand, with factors that do not add up to one."""

import jax
import numpy as np
import pytest

from plasticity_rl import injection
from tests.interventions import nets

SHRINK, PERTURB = 0.9, 0.3


def noise(noise, history='injected'):
  """(new - S old) / P of the weights that learn, online and target's."""
  made = nets.agent('mlp')
  before = nets.state('mlp', history)
  text = (
    f'shrink_and_perturb(shrink={SHRINK}, perturb={PERTURB}, noise={noise!r})'
  )
  after = nets.apply(text, made, before, 'mlp')
  return [
    jax.tree.map(
      lambda o, n: np.asarray((n - SHRINK * o) / PERTURB),
      injection.trainable(old),
      injection.trainable(new),
    )
    for old, new in zip(before.nets['q'][:2], after.nets['q'][:2], strict=True)
  ]


def test_the_noise_of_the_initialisers_has_their_scale():
  """A normal of 1 / sqrt(fan in), cut at twice that; biases get nothing."""
  online, target = noise('initializer')
  jax.tree.map(
    lambda x, y: np.testing.assert_allclose(x, y, atol=1e-5), online, target
  )
  net = nets.agent('mlp').spec.nets['q']
  scaled = []
  for layer in nets.weights(net, online).values():
    np.testing.assert_allclose(layer['b'], 0, atol=1e-5)
    scaled.append(np.ravel(layer['w'] * layer['w'].shape[0] ** 0.5))
  scaled = np.concatenate(scaled)
  assert np.abs(scaled).max() < 2.3
  assert 0.75 < scaled.std() < 1.05


def test_gaussian_noise_is_standard_normal():
  online, target = noise('gaussian')
  jax.tree.map(
    lambda x, y: np.testing.assert_allclose(x, y, atol=1e-5), online, target
  )
  leaves = [x.ravel() for x in jax.tree.leaves(online)]
  every = np.concatenate(leaves)
  # Biases too: no leaf is left out, and no two get the same.
  assert len(np.unique(every.round(4))) > 0.99 * every.size
  error = 4 / every.size**0.5
  assert every.mean() == pytest.approx(0, abs=error)
  assert every.std() == pytest.approx(1, abs=error)
  assert np.abs(every).max() > 2.5  # Not cut.


def test_by_part_and_layer():
  made = nets.agent('mlp')
  before = nets.state('mlp')
  part = '{"encoder": {"dense_0": 0.25, "dense_1": 1.0}, "head": 0.75}'
  after = nets.apply(
    f'shrink_and_perturb(shrink={part}, perturb=0.0)', made, before, 'mlp'
  )
  net = made.spec.nets['q']
  old, new = (
    nets.weights(net, n['q'].params) for n in (before.nets, after.nets)
  )
  factors = {'dense_0': 0.25, 'dense_1': 1, 'dense_2': 0.75, 'dense_3': 0.75}
  for name, factor in factors.items():
    for key in 'wb':
      np.testing.assert_allclose(
        new[name][key], factor * old[name][key], rtol=1e-6
      )
