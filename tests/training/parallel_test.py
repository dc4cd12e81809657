"""Whole runs on four forced devices: as on one, injections included."""

import json
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.slow


@pytest.fixture(name='found', scope='module')
def fixture_found():
  process = subprocess.run(
    [sys.executable, '-m', 'tests.training.four_devices'],
    cwd=ROOT,
    capture_output=True,
    text=True,
    timeout=600,
  )
  assert process.returncode == 0, process.stderr[-3000:]
  return json.loads(process.stdout.splitlines()[-1])


@pytest.mark.parametrize('loop', ('device', 'host', 'sac'))
@pytest.mark.parametrize('mode', ('data', 'seeds'))
def test_a_run_ends_where_that_on_one_device_does(found, loop, mode):
  assert found[f'{loop} {mode}'] < 1e-5


def test_a_checkpoint_goes_on_on_another_number_of_devices(found):
  fewer = found['fewer devices']
  assert fewer['parts'] == [[4, 2, 8, 1], [2, 2, 8, 2]]
  assert fewer['same'] == 0.0
  assert all(0 < loss < 10 for loss in fewer['loss'])


def test_devices_share_the_task_of_a_seed_and_not_its_episodes(found):
  shared = found['shared tasks']
  # Devices, seeds, rows, environments, the size of an action.
  assert shared['actions'] == [4, 2, 8, 1, 1]
  first, *others = shared['factors']
  assert all(factors == first for factors in others)
  assert first[0] != first[1]  # Of another seed.
  places = {tuple(place) for place in shared['places']}
  assert len(places) == 4
  assert shared['cleared'] == 5
  assert shared['same'] == 0.0
  assert all(0 < loss < 1000 for loss in shared['loss'])
