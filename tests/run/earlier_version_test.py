"""A run folder that an earlier version saved: read, resumed, and reported."""

import csv
import importlib
import json
import pathlib
import shutil

import numpy as np
import pytest

from plasticity_rl import aliases
from plasticity_rl import analysis
from plasticity_rl import settings as settings_lib
from plasticity_rl.interventions import expression
from plasticity_rl.interventions import registry
from plasticity_rl.run import run_folder
from plasticity_rl.run import runner
from plasticity_rl.training import experiment as experiment_lib

SAVED = pathlib.Path(__file__).resolve().parents[1] / 'data' / 'old_run'


def rows_of(path):
  with path.open(newline='') as file:
    return list(csv.DictReader(file))


@pytest.mark.slow
def test_a_run_of_an_earlier_version_is_resumed(tmp_path):
  folder = tmp_path / 'run'
  shutil.copytree(SAVED, folder, ignore=shutil.ignore_patterns('expected.csv'))
  settings = settings_lib.resolve(
    json.loads((folder / 'config.json').read_text())['config']
  )
  run_folder.prepare(folder, settings)  # It is the same config's.
  experiment = experiment_lib.build(settings)
  runner.check(experiment)
  runner.run(experiment, folder)
  expected, found = (
    rows_of(SAVED / 'expected.csv'),
    rows_of(folder / 'metrics.csv'),
  )
  assert list(found[0]) == list(expected[0])
  assert found[:4] == expected[:4]  # Two seeds, up to step 200.
  for a, b in zip(found[4:], expected[4:], strict=True):
    # Tests compile with fewer optimizations than users do.
    np.testing.assert_allclose(
      float(a['train/loss']), float(b['train/loss']), rtol=1e-2
    )
    assert (a['step'], a['updates']) == (b['step'], b['updates'])
  labels = [
    json.loads(line)['label']
    for line in (folder / 'events.jsonl').read_text().splitlines()
  ]
  assert labels == ['rekey', 'injection']


def test_an_old_name_is_the_new_intervention_under_its_old_label():
  for old, new in aliases.INTERVENTIONS.items():
    found = expression.parse(f'{old}(at_steps=3)')
    assert (found.label, found.name, found.text) == (old, new, new)
    assert new in registry.REGISTRY and old not in registry.REGISTRY


def test_removed_keys_are_passed_over():
  config = settings_lib.default_config('dqn', 'catch').to_dict()
  old = {**config, **dict.fromkeys(aliases.REMOVED_KEYS, True)}
  assert settings_lib.resolve(old) == settings_lib.resolve(config)


def test_study_files_import_modules_by_their_earlier_names():
  for old, new in aliases.ANALYSIS_MODULES.items():
    assert getattr(analysis, old) is importlib.import_module(new)
  with pytest.raises(ImportError, match='no_such_module'):
    from plasticity_rl.analysis import no_such_module  # noqa: F401
