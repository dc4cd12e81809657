"""Processes that are killed or stopped: the same command ends at the same bits.

Each starts Python and finds what it compiles in the cache of the tests.
"""

import pathlib
import signal
import subprocess
import sys
import time

import pytest

from plasticity_rl import settings as settings_lib
from plasticity_rl.run import checkpoint_files
from plasticity_rl.run import run_folder
from plasticity_rl.run.checkpoint import Checkpoints
from tests.training import small

ROOT = pathlib.Path(__file__).resolve().parents[2]
END = 1000
# Random labels, which compile in the least time, with checkpoints all the time.
OVERRIDES = {
  'num_steps': END,
  'segment_steps': 25,
  'checkpoint.every_steps': 50,
  'evaluation.every_steps': 100,
  'diagnostics.every_steps': 100,
  'diagnostics.names': "('weight_norm',)",
  'environment.examples': 50,
  'environment.input_size': 8,
  'environment.switch_every_steps': 200,
  'network.hidden': '(8,)',
  'replay.batch_size': 8,
  'log.progress': False,
  'interventions': "('injection(at_steps=100)',)",
}
pytestmark = pytest.mark.slow


@pytest.fixture(name='start', scope='module')
def fixture_start():
  """Starts the training of a folder, the same command each time."""
  started = []

  def start(folder):
    started.append(
      subprocess.Popen(
        [
          sys.executable,
          '-m',
          'plasticity_rl.train',
          '--config=configs/random_labels.py:tiny',
          f'--workdir={folder}',
          *(f'--config.{k}={v}' for k, v in OVERRIDES.items()),
        ],
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
      )
    )
    return started[-1]

  yield start
  for process in started:
    if process.poll() is None:
      process.kill()
    process.communicate()


def wait_until(condition, process, seconds=120):
  """Waits for something that a process does; fails if it ends before."""
  for _ in range(seconds * 100):
    if condition():
      return
    assert process.poll() is None, process.communicate()
    time.sleep(0.01)
  raise AssertionError('it never happened')


def finish(process):
  out, err = process.communicate(timeout=300)
  assert process.returncode == 0, err
  return out


@pytest.fixture(name='whole', scope='module')
def fixture_whole(start, tmp_path_factory):
  """A run that nothing disturbed."""
  folder = tmp_path_factory.mktemp('whole') / 'run'
  out = finish(start(folder))
  assert out == f'metrics: {folder / "metrics.csv"}\n'
  return folder


def assert_same_end(folder, other):
  experiment = small.build(settings_lib.resolve(run_folder.read_config(folder)))
  assert Checkpoints(folder).newest() == END
  small.assert_equal(
    small.saved(experiment, folder, END), small.saved(experiment, other, END)
  )
  assert small.metrics(folder) == small.metrics(other)
  assert len(small.metrics(folder)) == 2 * END // 25


def test_killed_and_resumed(start, whole, tmp_path):
  folder = tmp_path / 'run'
  process = start(folder)
  # After the injection, and amidst a save perhaps.
  wait_until(lambda: max(Checkpoints(folder).steps(), default=0) > 100, process)
  process.kill()
  process.communicate()
  assert process.returncode == -signal.SIGKILL
  assert 100 < Checkpoints(folder).newest() < END
  # Again, when it has just begun to write one.
  process = start(folder)
  being_saved = f'checkpoints/.*.{process.pid}'
  wait_until(lambda: list(folder.glob(being_saved)), process)
  process.kill()
  process.communicate()
  for step in Checkpoints(folder).steps():
    assert not checkpoint_files.verify(Checkpoints(folder).path(step))
  assert 100 < Checkpoints(folder).newest() < END
  finish(start(folder))
  assert not list(folder.glob('checkpoints/.*'))
  assert_same_end(folder, whole)


def test_stopped_and_continued(start, whole, tmp_path):
  """While it compiles, then while it trains."""
  folder = tmp_path / 'run'
  process = start(folder)
  wait_until((folder / 'config.json').exists, process)
  # The handler is there a moment later, and compiling takes seconds.
  time.sleep(0.3)
  process.terminate()
  _, err = process.communicate(timeout=300)
  assert process.returncode == 75, err
  lines = err.splitlines()
  assert 'asked to stop: saving after the current segment' in lines
  assert lines[-1].startswith('error: stopped at step ')
  assert lines[-1].endswith('the same command continues')
  begun = Checkpoints(folder).newest()
  assert begun is not None and begun <= 25
  process = start(folder)
  wait_until(lambda: Checkpoints(folder).steps()[-1] > 400, process)
  process.terminate()
  _, err = process.communicate(timeout=300)
  assert process.returncode == 75, err
  assert 100 < Checkpoints(folder).newest() < END
  finish(start(folder))
  assert_same_end(folder, whole)
