"""Measures of weights: by NumPy, and as the diagnostics of a probe."""

import jax
import numpy as np
import pytest

from plasticity_rl import measures
from plasticity_rl.diagnostics import weight_change
from plasticity_rl.diagnostics import weight_norm
from plasticity_rl.types import NetState
from tests.diagnostics.probes import TWO_LAYERS
from tests.diagnostics.probes import probe_of
from tests.diagnostics.probes import two_layers


def drawn(seed):
  draw = np.random.default_rng(seed)
  return jax.tree.map(
    lambda x: draw.normal(size=x.shape).astype(np.float32), two_layers()
  )


NOW, BEFORE = drawn(0), drawn(1)


def flat(tree):
  return np.concatenate([x.ravel() for x in jax.tree.leaves(tree)])


NORM = np.linalg.norm


@pytest.mark.parametrize(
  'found, expected',
  (
    (measures.weight_norm(NOW), NORM(flat(NOW))),
    (
      measures.weight_growth(NOW, BEFORE),
      NORM(flat(NOW)) / NORM(flat(BEFORE)),
    ),
    (
      measures.distance_from_init(NOW, BEFORE),
      NORM(flat(NOW) - flat(BEFORE)),
    ),
    (
      measures.update_ratio(NOW, BEFORE),
      NORM(flat(NOW) - flat(BEFORE)) / NORM(flat(BEFORE)),
    ),
  ),
)
def test_a_measure_is_numpys(found, expected):
  np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_a_measure_is_the_diagnostics():
  probe = probe_of({}, NOW, layers=TWO_LAYERS, initial=BEFORE)
  first = [tree['encoder']['first'] for tree in (NOW, BEFORE)]
  for diagnostic, measure in (
    (weight_norm.weight_growth, measures.weight_growth),
    (weight_change.distance_from_init, measures.distance_from_init),
  ):
    values = diagnostic(probe)
    assert values['trainable'] == measure(NOW, BEFORE)
    assert values['first'] == measure(*first)
  norms = weight_norm.weight_norm(probe)
  assert norms['all'] == norms['trainable'] == measures.weight_norm(NOW)
  assert norms['first'] == measures.weight_norm(first[0])


def test_an_update_ratio_is_the_diagnostics():
  probe = probe_of(
    {},
    BEFORE,
    layers=TWO_LAYERS,
    updated=lambda: NetState(NOW, None, None, None),
  )
  found = weight_change.update_ratio(probe)['trainable']
  assert found == measures.update_ratio(NOW, BEFORE)
