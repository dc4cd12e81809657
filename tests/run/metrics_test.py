"""metrics.csv and events.jsonl, through crashes and new columns."""

import csv
import json
import os
import sys
import types

import numpy as np
import pytest

from plasticity_rl import settings
from plasticity_rl.errors import RunError
from plasticity_rl.errors import UserError
from plasticity_rl.run import metrics
from plasticity_rl.run import run_folder
from tests.training import small

NOTHING = {'a': np.zeros(1, bool)}  # Is missing.
NOTHING_OF_TWO = {'a': np.zeros(2, bool)}
LOG = settings.LogConfig(progress=False)


def row(step, **more):
  return {
    'seed': 1,
    'step': step,
    'frames': step,
    'updates': step,
    'seconds': '0.5',
    **more,
  }


def read(path):
  with path.open(newline='') as file:
    return list(csv.DictReader(file))


@pytest.fixture(name='path')
def fixture_path(tmp_path):
  path = tmp_path / 'metrics.csv'
  writer = metrics.CsvWriter(path, -1)
  for step in (10, 20, 30):
    writer.write([row(step, **{'train/loss': step / 10})])
  return path


def test_common_columns_come_first(path):
  assert path.read_text().splitlines()[0] == (
    'seed,step,frames,updates,seconds,train/loss'
  )


def test_new_columns_are_added_to_old_rows(path):
  writer = metrics.CsvWriter(path, 30)
  writer.write([row(40, **{'train/loss': 4.0, 'eval/return': 1.0})])
  writer.write([row(50, **{'eval/return': 2.0})])
  rows = read(path)
  assert [r['eval/return'] for r in rows] == ['', '', '', '1.0', '2.0']
  assert [r['train/loss'] for r in rows] == ['1.0', '2.0', '3.0', '4.0', '']
  assert [r['step'] for r in rows] == ['10', '20', '30', '40', '50']


def test_resume_drops_what_is_past_the_checkpoint(path):
  metrics.CsvWriter(path, 20)
  assert [r['step'] for r in read(path)] == ['10', '20']


@pytest.mark.parametrize('half', ('1', '1,30', '1,30,30,30,0.', 'x,,', '\0'))
def test_half_a_line_is_dropped(path, half):
  """Even where the step of what is there would not be past the checkpoint."""
  with path.open('a') as file:
    file.write(half)
  writer = metrics.CsvWriter(path, 30)
  writer.write([row(40, **{'train/loss': 4.0})])
  assert [r['step'] for r in read(path)] == ['10', '20', '30', '40']


def test_a_run_that_starts_drops_everything(path):
  metrics.CsvWriter(path, -1)
  assert read(path) == []


def test_rewriting_leaves_no_temporary_file(path):
  metrics.CsvWriter(path, 20)
  assert [p.name for p in path.parent.iterdir()] == ['metrics.csv']


def test_a_point_is_a_row_for_each_seed(tmp_path):
  writers = metrics.Writers(tmp_path, LOG, -1, first_seed=7)
  third = np.float32(1 / 3)
  found = {
    'eval/return': np.array([0.5, third], np.float32),
    'train/loss': np.array([np.nan, 2.0]),
    'train/q_mean': np.array([np.nan, 2.0]),
  }
  missing = {name: np.zeros(2, bool) for name in found}
  missing['train/loss'] = np.array([True, False])
  writers.write(10, 5, 1.23456, found, missing)
  writers.close()
  first, second = read(tmp_path / 'metrics.csv')
  assert first == {
    'seed': '7',
    'step': '10',
    'frames': '10',
    'updates': '5',
    'seconds': '1.235',
    'eval/return': '0.5',
    'train/loss': '',
    'train/q_mean': 'nan',
  }
  assert second['seed'] == '8'
  assert np.float32(second['eval/return']) == third  # To the bit.


def test_events_are_lines_of_json_and_resume_with_the_run(tmp_path):
  writers = metrics.Writers(tmp_path, LOG, -1, 1)
  for step in (10, 20, 30):
    writers.event(step, event='intervention', change=[0.5])
  with (tmp_path / 'events.jsonl').open('a') as file:
    file.write('{"step": 2')
  metrics.Writers(tmp_path, LOG, 20, 1)
  lines = (tmp_path / 'events.jsonl').read_text().splitlines()
  assert [json.loads(line) for line in lines] == [
    {'step': step, 'event': 'intervention', 'change': [0.5]}
    for step in (10, 20)
  ]


def test_missing_logger_is_named_with_its_extra(tmp_path, monkeypatch):
  for name in ('wandb', 'trackio'):
    monkeypatch.setitem(sys.modules, name, None)
  log = settings.LogConfig(progress=False, wandb='project')
  with pytest.raises(UserError, match=r"wandb.*pip install -e '.*\[wandb\]'"):
    metrics.Writers(tmp_path, log, -1, 1)
  log = settings.LogConfig(progress=False, trackio='project')
  with pytest.raises(UserError, match='trackio.*: pip install trackio$'):
    metrics.check(log)


@pytest.mark.parametrize('name', ('metrics.csv', 'events.jsonl'))
def test_full_disk_is_said_in_a_line(tmp_path, name):
  writers = metrics.Writers(tmp_path, LOG, -1, 1)
  writers.write(10, 5, 1.0, {'a': np.array([1.0])}, NOTHING)
  writers.event(10, event='intervention')
  (tmp_path / name).unlink()
  (tmp_path / name).symlink_to('/dev/full')
  with pytest.raises(RunError) as caught:
    if name == 'metrics.csv':
      writers.write(20, 5, 1.0, {'a': np.array([2.0])}, NOTHING)
    else:
      writers.event(20, event='intervention')
  assert str(caught.value) == (
    f'could not write {tmp_path / name}: No space left on device; '
    'checkpoints are kept, and the same command goes on from the last one'
  )


def test_events_survive_a_kill_as_they_are_read(tmp_path, monkeypatch):
  """Resuming drops what is past the checkpoint, and nothing else."""
  writers = metrics.Writers(tmp_path, LOG, -1, 1)
  for step in (10, 20):
    writers.event(step, event='intervention')
  before = (tmp_path / 'events.jsonl').read_text()

  replace = os.replace

  def killed(temporary, path):
    if path.name == 'events.jsonl':
      raise KeyboardInterrupt
    replace(temporary, path)

  with monkeypatch.context() as patched:
    patched.setattr(run_folder.os, 'replace', killed)
    with pytest.raises(KeyboardInterrupt):
      metrics.Writers(tmp_path, LOG, 10, 1)
  assert (tmp_path / 'events.jsonl').read_text() == before
  metrics.Writers(tmp_path, LOG, 10, 1)
  assert len((tmp_path / 'events.jsonl').read_text().splitlines()) == 1


@pytest.mark.parametrize('resume_step, purged_from', ((-1, 0), (20, 21)))
def test_tensorboard_gets_the_mean_over_seeds(
  tmp_path, monkeypatch, resume_step, purged_from
):
  seen = []

  class Fake:
    class SummaryWriter:
      def __init__(self, folder, purge_step):
        seen.append((folder, purge_step))

      def add_scalar(self, name, value, step):
        seen.append((name, value, step))

      def close(self):
        seen.append('closed')

  monkeypatch.setitem(sys.modules, 'tensorboardX', Fake)
  writers = metrics.Writers(
    tmp_path, settings.LogConfig(tensorboard=True), resume_step, first_seed=1
  )
  found = {
    'a': np.array([1.0, 3.0]),
    'b': np.array([np.nan, 4.0]),
    'c': np.array([np.nan, np.nan]),
  }
  writers.write(10, 5, 1.0, found, {k: np.isnan(v) for k, v in found.items()})
  writers.close()
  # What was written after the checkpoint is written again.
  assert seen == [
    (str(tmp_path / 'tb'), purged_from),
    ('a', 2.0, 10),
    ('b', 4.0, 10),
    'closed',
  ]


@pytest.fixture(name='tracked')
def fixture_tracked(monkeypatch):
  """Modules of the shape of wandb and trackio; what they were told."""
  seen = []

  class Run:
    def __init__(self, name):
      self.name = name

    def log(self, metrics, step=None):
      seen.append((self.name, metrics, step))

    def finish(self):
      seen.append((self.name, 'finished'))

  def wandb(*, project, dir, name, id, config, resume):
    seen.append(('wandb', project, dir, name, id, config, resume))
    return Run('wandb')

  def trackio(project, name=None, *, config=None, resume='never'):
    seen.append(('trackio', project, name, config, resume))
    return Run('trackio')

  for function in (wandb, trackio):
    module = types.ModuleType(function.__name__)
    module.init = function
    monkeypatch.setitem(sys.modules, function.__name__, module)
  return seen


def test_trackers_get_the_config_and_the_mean_over_seeds(tmp_path, tracked):
  folder = tmp_path / 'run'
  run_folder.prepare(folder, small.supervised())
  log = settings.LogConfig(wandb='a', trackio='b')
  writers = metrics.Writers(folder, log, -1, first_seed=1)
  found = {'x': np.array([1.0, np.nan]), 'y': np.array([np.nan, np.nan])}
  writers.write(10, 5, 1.0, found, {k: np.isnan(v) for k, v in found.items()})
  writers.close()
  config = run_folder.read_config(folder)
  name = (folder / metrics.WANDB_ID).read_text()
  assert tracked == [
    ('wandb', 'a', str(folder), 'run', name, config, 'allow'),
    ('trackio', 'b', f'run-{name[:8]}', config, 'allow'),
    ('wandb', {'x': 1.0}, 10),
    ('trackio', {'x': 1.0}, 10),
    ('wandb', 'finished'),
    ('trackio', 'finished'),
  ]


def test_every_folder_is_a_run_of_its_own(tmp_path, tracked):
  log = settings.LogConfig(wandb='project', trackio='project')
  # Arms of two diagnoses; the first goes on later.
  for name in 'aba':
    folder = tmp_path / name / 'arms' / 'control'
    folder.mkdir(parents=True, exist_ok=True)
    metrics.Writers(folder, log, -1, first_seed=1).close()
  a, b, again = [x[4] for x in tracked if x[0] == 'wandb' and len(x) > 2]
  assert a == again and a != b
  a, b, again = [x[2] for x in tracked if x[0] == 'trackio' and len(x) > 2]
  assert a == again and a != b and a.startswith('control-')


def test_trackio_itself(tmp_path, monkeypatch):
  """Where it is installed: what was logged can be read again, offline."""
  monkeypatch.setenv('TRACKIO_DIR', str(tmp_path / 'trackio'))
  pytest.importorskip('trackio')
  from trackio.sqlite_storage import SQLiteStorage

  project = f'plasticity_{os.getpid()}'
  log = settings.LogConfig(trackio=project)
  for step in (10, 20):  # The second time it goes on.
    writers = metrics.Writers(tmp_path, log, step - 10, first_seed=1)
    writers.write(step, 5, 1.0, {'a': np.array([1.0, 3.0])}, NOTHING_OF_TWO)
    writers.close()
  (run,) = SQLiteStorage.get_runs(project)
  logged = SQLiteStorage.get_logs(project, run)
  assert [(row['a'], row['step']) for row in logged] == [(2.0, 10), (2.0, 20)]


def test_what_was_not_measured_is_not_a_nan():
  nan = np.nan
  found = {
    'train/episodes': np.array([0.0, 2.0]),
    'train/return': np.array([nan, nan]),  # Of no episode, and of two.
    'train/loss': np.array([nan, 1.0]),
    'eval/return': np.array([nan, 1.0]),
    'plasticity/q/srank/dense_0': np.array([nan, 1.0]),
    'plasticity/q/dormant_overlap/dense_0': np.array([nan, 1.0]),
  }
  updated = metrics.unmeasured(found, has_updates=True)
  assert updated['train/return'].tolist() == [True, False]
  for name in ('train/loss', 'eval/return', 'plasticity/q/srank/dense_0'):
    assert not updated[name].any()
  overlap = updated['plasticity/q/dormant_overlap/dense_0']
  assert overlap.tolist() == [True, False]
  none = metrics.unmeasured(found, has_updates=False)
  assert none['train/loss'].tolist() == [True, False]
  assert none['train/return'].tolist() == [True, False]
  assert not none['eval/return'].any()
