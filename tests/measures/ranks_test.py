"""Ranks of plain arrays: by NumPy, and as the diagnostics of a probe."""

import jax.numpy as jnp
import numpy as np
import pytest

from plasticity_rl import measures
from plasticity_rl.diagnostics import ranks as diagnostics
from plasticity_rl.layers import Layer
from tests.diagnostics.probes import floats
from tests.diagnostics.probes import probe_of

RANKS = ('effective_rank', 'feature_rank', 'srank', 'stable_rank')
LAYERS = (
  Layer('second', ('head', 'second')),
  Layer('last', ('head', 'last'), hidden=False),
)


def draw(shape=(9, 7)):
  """Features whose singular values lie far apart."""
  features = np.random.default_rng(0).normal(size=shape)
  scale = 10.0 ** -np.arange(shape[-1])
  return (features * scale).astype(np.float32)


def by_numpy(name, features):
  matrix = features.reshape(len(features), -1).astype(float)
  s = np.linalg.svd(matrix, compute_uv=False)
  p = s / s.sum()
  return {
    'effective_rank': lambda: np.exp(-(p * np.log(p)).sum()),
    'feature_rank': lambda: (s / len(matrix) ** 0.5 > 0.01).sum(),
    'srank': lambda: 1 + np.argmax(np.cumsum(s) >= 0.99 * s.sum()),
    'stable_rank': lambda: (s**2).sum() / s[0] ** 2,
  }[name]()


@pytest.mark.parametrize('name', RANKS)
@pytest.mark.parametrize('shape', ((9, 7), (4, 6), (5, 2, 3)))
def test_a_rank_is_numpys(name, shape):
  features = draw(shape)
  expected = by_numpy(name, features)
  assert expected > 1
  np.testing.assert_allclose(
    getattr(measures, name)(features), expected, rtol=1e-4
  )


@pytest.mark.parametrize('name', RANKS)
def test_a_rank_is_the_diagnostics(name):
  features = draw()
  probe = probe_of({'second': features}, layers=LAYERS, inputs=np.zeros([9, 1]))
  values = floats(getattr(diagnostics, name)(probe))
  assert values == {'second': float(getattr(measures, name)(features))}


@pytest.mark.parametrize('name', RANKS)
def test_no_features_span_nothing(name):
  assert getattr(measures, name)(jnp.zeros([4, 3])) == 0


def test_whole_numbers_are_features_too():
  assert measures.srank(np.eye(3, dtype=int)) == 3
  assert measures.stable_rank(np.eye(3, dtype=bool)) == 3


def test_options():
  features = np.diag([90.0, 8.5, 1.0, 0.5])
  found = [int(measures.srank(features, d)) for d in (0.2, 0.05, 0.01, 0.001)]
  assert found == [1, 2, 3, 4]
  assert measures.feature_rank(features, eps=0.5) == 2  # 45, 4.25, 0.5, 0.25.
