"""Regularisers, architectures and optimizers in runs: saved, grown, counted."""

import pytest

from plasticity_rl.experiment import run_folder
from plasticity_rl.experiment import timeline
from tests.experiment import small

# Each of them once, with others.
COMBINATIONS = {
    'upgd': {
        'optimizer.name': 'upgd', 'network.activation': 'fourier',
        'network.weight_norm': True, 'regularizer.spectral_norm': 1e-3,
        'regularizer.l2_init': 1e-2,
    },
    'adam_per_weight': {
        'optimizer.name': 'adam_per_weight', 'network.activation': 'crelu',
        'network.layer_norm': True, 'network.width_counts': 'units',
        'regularizer.infer': 1e-3, 'regularizer.infer_scale': 2.0,
        'regularizer.feature_norm': 1e-3, 'regularizer.parseval': 1e-3,
        'regularizer.l2': 1e-3,
    },
}


@pytest.mark.slow
@pytest.mark.parametrize('name', COMBINATIONS)
def test_stopped_after_an_injection_and_continued(name, tmp_path):
  settings = small.supervised(
      **COMBINATIONS[name], interventions=('injection(at_steps=10)',)
  )
  experiment = small.build(settings)
  whole, halves = tmp_path / 'whole', tmp_path / 'halves'
  for folder in (whole, halves):
    run_folder.prepare(folder, settings)
  timeline.run(experiment, whole)
  timeline.run(experiment, halves, num_steps=15)
  timeline.run(experiment, halves)
  small.assert_equal(
      small.saved(experiment, whole, 20), small.saved(experiment, halves, 20)
  )
  assert small.metrics(whole) == small.metrics(halves)
  penalties = [float(r['train/penalty']) for r in small.metrics(whole)
               if r['train/penalty']]
  assert len(penalties) == 8 and min(penalties) > 0
