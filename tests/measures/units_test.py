"""Measures of units: by NumPy, and as the diagnostics of a probe."""

import numpy as np
import pytest

from plasticity_rl import measures
from plasticity_rl.diagnostics.active_units import active_units
from plasticity_rl.diagnostics.dead_units import dead_units
from plasticity_rl.diagnostics.dormant_units import dormant_overlap
from plasticity_rl.diagnostics.dormant_units import dormant_units
from plasticity_rl.layers import Layer
from plasticity_rl.measures.units import is_dormant
from tests.diagnostics.probes import FEATURES
from tests.diagnostics.probes import probe_of

LAYERS = (Layer('one', ('head', 'one')),)
# Mean |h|: 2, 0, 2, 0.02, 0.6 of 0.924; means: 2, 0, -1, 0.02, -0.1.
DENSE = np.array([[1.0, 0, -3, 0, 0.5], [3.0, 0, 1, 0.04, -0.7]], np.float32)
CASES = {'dense': DENSE, 'convolution': FEATURES['conv'].astype(np.float32)}


def by_numpy(features):
  """Shares of dead, dormant and active units."""
  units = np.moveaxis(features, -1, 0).reshape(features.shape[-1], -1)
  activity = np.abs(units).mean(1)
  return (
    np.mean(activity == 0),
    np.mean(activity / activity.mean() <= 0.025),
    np.mean(units.mean(1) > 0),
  )


@pytest.mark.parametrize('case', CASES)
def test_shares_are_numpys(case):
  found = (
    measures.dead_units(CASES[case]),
    measures.dormancy(CASES[case]),
    measures.active_units(CASES[case]),
  )
  np.testing.assert_allclose(found, by_numpy(CASES[case]), rtol=1e-6)


def test_shares_by_hand():
  np.testing.assert_allclose(by_numpy(DENSE), (1 / 5, 2 / 5, 2 / 5))
  np.testing.assert_allclose(
    [measures.dormancy(DENSE, tau) for tau in (0.0, 0.02, 0.022, 0.7, 3.0)],
    (1 / 5, 1 / 5, 2 / 5, 3 / 5, 1),
  )
  np.testing.assert_allclose(
    [measures.active_units(DENSE, t) for t in (-1.5, -0.05, 0.01, 2.5)],
    (1, 3 / 5, 2 / 5, 0),
  )


@pytest.mark.parametrize('case', CASES)
@pytest.mark.parametrize(
  'measure, diagnostic',
  (
    (measures.dead_units, dead_units),
    (measures.dormancy, dormant_units),
    (measures.active_units, active_units),
  ),
)
def test_a_share_is_the_diagnostics(case, measure, diagnostic):
  probe = probe_of({'one': CASES[case]}, layers=LAYERS)
  assert float(diagnostic(probe)['one']) == float(measure(CASES[case]))


def test_an_overlap_is_the_diagnostics():
  earlier = DENSE[:, ::-1]  # Dormant: 1 and 3, of both.
  fewer = np.where(np.arange(5) == 1, 5, DENSE)  # Dormant: 3 alone.
  others = np.where(np.arange(5) < 4, 5, 0 * DENSE)  # Dormant: 4 alone.
  for before, expected in ((earlier, 1), (fewer, 1), (others, 0)):
    found = float(measures.dormant_overlap(DENSE, before))
    memory = {'one': is_dormant(before)}
    probe = probe_of({'one': DENSE}, layers=LAYERS, memory=memory)
    assert float(dormant_overlap(probe)['one']) == found == expected


def test_an_overlap_with_nothing_is_no_number():
  assert np.isnan(measures.dormant_overlap(DENSE, np.ones([2, 5])))


def test_a_layer_of_zeros():
  zeros = np.zeros([4, 3])
  assert measures.dead_units(zeros) == measures.dormancy(zeros) == 1
  assert measures.active_units(zeros) == 0
