"""Regularisers, architectures and optimizers in runs: saved, grown, counted."""

import json

import pytest

from plasticity_rl.run import run_folder
from plasticity_rl.run import runner
from tests.training import small

# Each of them once, with others.
COMBINATIONS = {
  'upgd': {
    'optimizer.name': 'upgd',
    'network.activation': 'fourier',
    'network.weight_norm': True,
    'regularizer.spectral_norm': 1e-3,
    'regularizer.l2_init': 1e-2,
  },
  'adam_per_weight': {
    'optimizer.name': 'adam_per_weight',
    'network.activation': 'crelu',
    'network.layer_norm': True,
    'network.width_counts': 'units',
    'regularizer.infer': 1e-3,
    'regularizer.infer_scale': 2.0,
    'regularizer.feature_norm': 1e-3,
    'regularizer.parseval': 1e-3,
    'regularizer.l2': 1e-3,
    'network.precision': 'bfloat16',
    'optimizer.microbatches': 2,
  },
  'muon': {
    'optimizer.name': 'muon',
    'optimizer.sam_radius': 0.05,
    'network.residual_blocks': 1,
    'regularizer.c_chain': 0.1,
    'regularizer.l2': 1e-3,
  },
  'trac': {
    'optimizer.name': 'trac',
    'optimizer.microbatches': 2,
    'regularizer.c_chain': 0.1,
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
  runner.run(experiment, whole)
  runner.run(experiment, halves, num_steps=15)
  runner.run(experiment, halves)
  small.assert_equal(
    small.saved(experiment, whole, 20), small.saved(experiment, halves, 20)
  )
  assert small.metrics(whole) == small.metrics(halves)
  penalties = [
    float(r['train/penalty'])
    for r in small.metrics(whole)
    if r['train/penalty']
  ]
  assert len(penalties) == 8 and min(penalties) > 0


@pytest.mark.slow
def test_a_larger_network_and_a_grown_one_have_ledgers_that_compare(tmp_path):
  ledgers = {}
  for name, changes in {
    'plain': {},
    'bigger': {'network.sized_for_injections': 1},
    'grown': {'interventions': ('injection(at_steps=10)',)},
  }.items():
    settings = small.supervised(
      **{'network.hidden': (8, 16), 'network.split': 1, **changes}
    )
    run_folder.prepare(tmp_path / name, settings)
    runner.run(small.build(settings), tmp_path / name)
    ledgers[name] = json.loads((tmp_path / name / 'ledger.json').read_text())
  plain, bigger, grown = ledgers.values()
  # 4 -> 8 | 16 -> 3.
  encoder, head = 5 * 8, 9 * 16 + 17 * 3
  for one in (plain, grown):
    assert one['trainable_parameters'] == encoder + head
  assert plain['parameters'] == encoder + head
  assert grown['parameters'] == encoder + 3 * head
  assert bigger['trainable_parameters'] == bigger['parameters']
  assert bigger['parameters'] == pytest.approx(grown['parameters'], rel=0.02)
  # It pays for its size from the start, and its size learns.
  assert plain['total_flops'] < grown['total_flops'] < bigger['total_flops']
