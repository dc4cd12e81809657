"""Diagnostics of units on numbers that were worked out by hand."""

import jax.numpy as jnp
import numpy as np
import pytest

from plasticity_rl.diagnostics.active_units import active_units
from plasticity_rl.diagnostics.dead_units import dead_units
from plasticity_rl.diagnostics.dormant_units import dormant_overlap
from plasticity_rl.diagnostics.dormant_units import dormant_sets
from plasticity_rl.diagnostics.dormant_units import dormant_units
from plasticity_rl.diagnostics.dormant_units import no_dormant_sets
from plasticity_rl.layers import Layer
from plasticity_rl.measures import units
from tests.diagnostics.probes import FEATURES
from tests.diagnostics.probes import TWO_LAYERS
from tests.diagnostics.probes import floats
from tests.diagnostics.probes import probe_of
from tests.diagnostics.probes import two_layers


def test_activity_of_dense_units_and_of_channels():
  activity = units.unit_activity(jnp.array(FEATURES['conv']))
  np.testing.assert_allclose(activity, [0, 0.01, 2], rtol=1e-6)
  assert units.unit_activity(jnp.array([[-1.0, 2], [3.0, 0]])).tolist() == [
    2,
    1,
  ]


def test_dead_units():
  assert floats(dead_units(probe_of(FEATURES))) == pytest.approx(
    {
      'conv': 1 / 3,
      'first': 1 / 4,
      'second': 1 / 2,
      'encoder': 2 / 7,  # Over units, not over layers.
      'head': 1 / 2,
    }
  )


def test_dormancy():
  np.testing.assert_allclose(
    units.dormancy_scores(jnp.array(FEATURES['first'])), [2, 0, 1, 1]
  )
  assert units.dormancy_scores(jnp.zeros([4, 3])).tolist() == [0, 0, 0]


def test_dormant_units():
  # Scores of the channels: 0, 0.01 / 0.67, 2 / 0.67.
  assert floats(dormant_units(probe_of(FEATURES))) == pytest.approx(
    {
      'conv': 2 / 3,
      'first': 1 / 4,
      'second': 1 / 2,
      'encoder': 3 / 7,
      'head': 1 / 2,
    }
  )
  # At most tau counts, not below it alone.
  for tau, share in ((0.0, 1 / 4), (0.99, 1 / 4), (1.0, 3 / 4), (2.0, 1.0)):
    values = dormant_units(probe_of(FEATURES), tau=tau)
    assert float(values['first']) == share


def test_a_unit_of_two_features_counts_once():
  """Of CReLU, unit i has features i and i + 3; ReDo counts alike."""
  features = np.array([[1.0, 0, 0, 0, 0, 0.01], [0.0, 0, 0, 2, 0, 0.0]])
  layers = (
    Layer('first', ('encoder', 'first'), features_per_unit=2),
    Layer('last', ('head', 'last'), hidden=False),
  )
  probe = probe_of({'first': features, 'last': features}, layers=layers)
  assert float(dead_units(probe)['first']) == pytest.approx(1 / 3)
  assert float(dormant_units(probe)['first']) == pytest.approx(2 / 3)
  assert float(active_units(probe)['first']) == pytest.approx(2 / 3)
  assert dormant_sets(probe)['first'].tolist() == [False, True, True]


def test_no_hidden_layer_in_a_part():
  layers = (Layer('last', ('head', 'last'), hidden=False),)
  assert dead_units(probe_of({'last': np.zeros([2, 3])}, layers=layers)) == {}


def test_active_units():
  # Means of the channels 0, 0.01, 2; of the units 2, 0, 1, 1 and 0, 0.5.
  values = floats(active_units(probe_of(FEATURES)))
  assert values == pytest.approx(
    {
      'conv': 2 / 3,
      'first': 3 / 4,
      'second': 1 / 2,
      'encoder': 5 / 7,
      'head': 1 / 2,
    }
  )
  assert float(active_units(probe_of(FEATURES), 1.0)['first']) == 1 / 4


def test_active_units_are_those_with_a_positive_mean():
  """Not those that are positive somewhere, nor those that are not zero."""
  features = {**FEATURES, 'second': np.array([[-3.0, -1.0], [1.0, 2.0]])}
  assert float(active_units(probe_of(features))['second']) == 1 / 2


def test_dormant_sets():
  sets = dormant_sets(probe_of(FEATURES))
  assert {k: v.tolist() for k, v in sets.items()} == {
    'conv': [True, True, False],
    'first': [False, True, False, False],
    'second': [True, False],
  }


def test_dormant_overlap():
  """The share of the smaller of the sets, not of the larger or of both."""
  before = {
    'conv': np.array([True, False, False]),
    'first': np.zeros(4, bool),
    'second': np.array([False, True]),
  }
  values = floats(dormant_overlap(probe_of(FEATURES, memory=before)))
  assert values == pytest.approx(
    {
      'conv': 1,
      'first': np.nan,
      'second': 0,
      'encoder': 1,
      'head': 0,
    },
    nan_ok=True,
  )
  before['conv'], before['first'] = np.ones(3, bool), np.arange(4) > 1
  values = floats(dormant_overlap(probe_of(FEATURES, memory=before)))
  assert values == pytest.approx(
    {
      'conv': 1,
      'first': 0,
      'second': 0,
      'encoder': 2 / 3,
      'head': 0,
    }
  )


def test_no_dormant_sets_have_the_shapes_of_those_to_come():
  net = probe_of(FEATURES, layers=TWO_LAYERS).net
  sets = no_dormant_sets(net, two_layers())
  assert {k: v.tolist() for k, v in sets.items()} == {'first': [False] * 3}
  assert sets['first'].dtype == bool
