"""Writers of metrics.csv, events.jsonl, TensorBoard, W&B and Trackio."""

import contextlib
import csv
import json
import os
import pathlib
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from plasticity_rl import errors
from plasticity_rl import settings as settings_lib
from plasticity_rl.run import run_folder

CSV = 'metrics.csv'
EVENTS = 'events.jsonl'
WANDB_ID = 'wandb_id'
COMMON = ('seed', 'step', 'frames', 'updates', 'seconds')


class CsvWriter:
  """Writes metrics.csv: one row for each seed and step.

  A new column rewrites the file.
  """

  def __init__(self, path: pathlib.Path, resume_step: int):
    """Opens a file, and drops its rows after `resume_step`.

    Raises:
      RunError: the file cannot be written.
    """
    self._path = path
    self._columns = list(COMMON)
    rows = []
    if path.exists():
      with path.open(newline='') as file:
        reader = csv.DictReader(file)
        # A killed process may have left half a line at the end.
        rows = [r for r in reader if is_whole(r, resume_step)]
        self._columns = list(reader.fieldnames or COMMON)
    self._rewrite(rows)

  def _rewrite(self, rows):
    """Replaces the file."""
    temporary = self._path.with_name(f'.{self._path.name}.{os.getpid()}')
    with _writing(self._path):
      with temporary.open('w', newline='') as file:
        writer = csv.DictWriter(file, self._columns, restval='')
        writer.writeheader()
        writer.writerows(rows)
      os.replace(temporary, self._path)

  def write(self, rows: Sequence[Mapping[str, Any]]) -> None:
    """Appends rows.

    Raises:
      RunError: the file cannot be written, for example if the disk is full.
    """
    new = [k for k in rows[0] if k not in self._columns]
    if new:
      with self._path.open(newline='') as file:
        before = list(csv.DictReader(file))
      self._columns += new
      self._rewrite(before)
    with _writing(self._path), self._path.open('a', newline='') as file:
      csv.DictWriter(file, self._columns, restval='').writerows(rows)


@contextlib.contextmanager
def _writing(path: pathlib.Path) -> Iterator[None]:
  """Raises a `RunError` if a file cannot be written."""
  try:
    yield
  except OSError as error:
    raise errors.RunError(
      f'could not write {path}: {error.strerror}; checkpoints are kept, and '
      'the same command goes on from the last one'
    ) from error


def is_whole(row: Mapping[str, Any], resume_step: int) -> bool:
  """Whether a row is complete and of a step up to `resume_step`."""
  try:
    return None not in row.values() and int(row['step']) <= resume_step
  except (TypeError, ValueError):
    return False


class Writers:
  """All writers of a run."""

  def __init__(
    self,
    folder: pathlib.Path,
    log: settings_lib.LogConfig,
    resume_step: int,
    first_seed: int,
    frames_per_step: int = 1,
  ):
    """Opens the writers, and drops entries after `resume_step`.

    Args:
      folder: of the run.
      log: which writers to open.
      resume_step: the step of the checkpoint to resume from; -1 for none.
      first_seed: the number of the first seed.
      frames_per_step: environment frames of one step.

    Raises:
      UserError: TensorBoard, Weights & Biases or Trackio is not installed.
      RunError: a file cannot be written.
    """
    self._first_seed = first_seed
    self._frames_per_step = frames_per_step
    self._csv = CsvWriter(folder / CSV, resume_step)
    self._events = folder / EVENTS
    kept = []
    if self._events.exists():
      lines = self._events.read_text().splitlines()
      kept = [x for x in lines if _event_step(x) <= resume_step]
    with _writing(self._events):
      run_folder.write_atomically(
        self._events, ''.join(f'{line}\n' for line in kept)
      )
    modules = check(log)
    self._tensorboard = None
    if log.tensorboard:
      tensorboard = modules['tensorboardX']
      self._tensorboard = tensorboard.SummaryWriter(
        str(folder / 'tb'), purge_step=resume_step + 1
      )
    self._trackers = _trackers(folder, log, modules)

  def write(
    self,
    step: int,
    updates: int,
    seconds: float,
    metrics: Mapping[str, np.ndarray],
    missing: Mapping[str, np.ndarray],
  ) -> None:
    """Writes the metrics of all seeds at a step.

    Args:
      step: the step.
      updates: made so far.
      seconds: of the run so far.
      metrics: arrays `[S]` by name.
      missing: bool arrays `[S]` by name: where nothing was measured, so that
        the cell stays empty. Elsewhere a NaN is a NaN.

    Raises:
      RunError: a file cannot be written.
    """
    num_seeds = len(next(iter(metrics.values())))
    self._csv.write(
      [
        {
          'seed': self._first_seed + i,
          'step': step,
          'frames': step * self._frames_per_step,
          'updates': updates,
          'seconds': f'{seconds:.3f}',
          **{
            k: '' if missing[k][i] else repr(float(v[i]))
            for k, v in metrics.items()
          },
        }
        for i in range(num_seeds)
      ]
    )
    if self._tensorboard or self._trackers:
      # The mean over seeds: curves by seed are in metrics.csv.
      means = {
        k: float(v[~missing[k]].mean())
        for k, v in metrics.items()
        if not missing[k].all()
      }
      if self._tensorboard:
        for name, value in means.items():
          self._tensorboard.add_scalar(name, value, step)
      for tracker in self._trackers:
        tracker.log(means, step=step)

  def event(self, step: int, **facts: Any) -> None:
    """Appends an event and its reason to events.jsonl.

    Raises:
      RunError: the file cannot be written.
    """
    with _writing(self._events), self._events.open('a') as file:
      file.write(json.dumps({'step': step, **facts}) + '\n')

  def close(self) -> None:
    """Flushes and closes the writers."""
    if self._tensorboard:
      self._tensorboard.close()
    for tracker in self._trackers:
      tracker.finish()


def unmeasured(
  metrics: Mapping[str, np.ndarray], has_updates: bool
) -> dict[str, np.ndarray]:
  """Where a NaN says that there was nothing to measure.

  Args:
    metrics: arrays `[S]` by name.
    has_updates: whether updates were made since the metrics before.

  Returns:
    Bool arrays `[S]` by name. `train/return` needs an episode that ended, other
    means of training need an update, `dormant_overlap` two sets of units.
  """
  found = {}
  for name, values in metrics.items():
    if name == 'train/return':
      nothing = metrics['train/episodes'] == 0
    elif name.startswith('train/'):
      nothing = np.full(len(values), not has_updates)
    else:
      nothing = np.full(len(values), '/dormant_overlap/' in name)
    found[name] = np.isnan(values) & nothing
  return found


class NullWriters:
  """Writers for hosts other than the first, which write nothing."""

  def write(self, *args: Any) -> None:
    """Does nothing."""

  def event(self, step: int, **facts: Any) -> None:
    """Does nothing."""

  def close(self) -> None:
    """Does nothing."""


def _event_step(line):
  """The step of a line of events.jsonl; infinity if it is incomplete."""
  try:
    return json.loads(line)['step']
  except (ValueError, KeyError):
    return float('inf')


def check(log: settings_lib.LogConfig) -> dict[str, Any]:
  """Imports what a run logs to; returns the modules by name.

  Raises:
    UserError: one is not installed.
  """
  wanted = {}
  if log.tensorboard:
    wanted['tensorboardX'] = errors.install_command('tensorboard')
  if log.wandb:
    wanted['wandb'] = errors.install_command('wandb')
  if log.trackio:
    # No extra: Trackio wants an older Pillow than the newest one.
    wanted['trackio'] = 'pip install trackio'
  return {name: _optional(name, install) for name, install in wanted.items()}


def _trackers(folder, log, modules):
  """Runs at Weights & Biases and Trackio, which have the same methods.

  A run that goes on here goes on there: its ID is kept in the folder, since
  different runs have folders of equal names, such as the arms of two diagnoses.
  """
  path = folder / run_folder.CONFIG
  config = run_folder.read_config(folder) if path.exists() else {}
  common = {'config': config, 'resume': 'allow'}
  found = []
  if log.wandb:
    found.append(
      modules['wandb'].init(
        project=log.wandb,
        dir=str(folder),
        name=folder.name,
        id=_run_id(folder),
        **common,
      )
    )
  if log.trackio:  # It knows a run by its name alone.
    name = f'{folder.name}-{_run_id(folder)[:8]}'
    found.append(
      modules['trackio'].init(project=log.trackio, name=name, **common)
    )
  return found


def _run_id(folder):
  path = folder / WANDB_ID
  if not path.exists():
    run_folder.write_atomically(path, uuid.uuid4().hex)
  return path.read_text()


def _optional(module, install):
  """Imports a module that this package can do without."""
  try:
    return __import__(module)
  except ImportError:
    raise errors.UserError(
      f'config.log asks for {module}, which is not installed: {install}'
    ) from None
