"""A run in a process of its own that is killed, and what it leaves behind."""

import csv
import dataclasses
import json
import os
import pathlib
import random
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping

import numpy as np
import orbax.checkpoint as ocp

from plasticity_rl.run import checkpoint
from plasticity_rl.run import checkpoint_files
from plasticity_rl.run import metrics

# What a kill aims at; where it hits is seen afterwards.
START, TRAINING, SAVE = AIMS = ('start', 'training', 'save')
_POLL_SECONDS = 0.002
_PATIENCE_SECONDS = 600


@dataclasses.dataclass(frozen=True)
class Loop:
  """A small run of one of the loops.

  Attributes:
    name: of the loop.
    config: its config file, with the variant.
    num_steps: where it ends.
    overrides: of the config.
    seconds: within which a kill follows on the first sign of training.
  """

  name: str
  config: str
  num_steps: int
  overrides: Mapping[str, object]
  seconds: float = 3.0

  def command(self, folder: pathlib.Path) -> list[str]:
    """Starts the run, or goes on with it."""
    overrides = {
      **self.overrides,
      'num_steps': self.num_steps,
      'log.progress': False,
    }
    return [
      sys.executable,
      '-m',
      'plasticity_rl.train',
      f'--config={self.config}',
      f'--workdir={folder}',
      *(f'--config.{key}={value}' for key, value in overrides.items()),
    ]


@dataclasses.dataclass(frozen=True)
class Times:
  """How long an undisturbed run takes, in seconds.

  Attributes:
    start: until its first checkpoint is begun.
    save: of a save, the median.
  """

  start: float
  save: float


@dataclasses.dataclass(frozen=True)
class Kill:
  """One kill and what it left.

  Attributes:
    aim: what it aimed at.
    hit: what the process was doing: 'start', 'training' or 'save'.
    before: newest checkpoint when the process was started; -1 if none.
    after: newest checkpoint that is whole after the kill; -1 if none.
    whole: checkpoints that were verified.
    damaged: what is wrong with the others.
  """

  aim: str
  hit: str
  before: int
  after: int
  whole: int
  damaged: tuple[str, ...]


def start(
  loop: Loop, folder: pathlib.Path, cache: pathlib.Path
) -> subprocess.Popen:
  """Starts the process; what it compiles is found in a cache again."""
  environment = {
    'JAX_PLATFORMS': 'cpu',
    **os.environ,
    'JAX_COMPILATION_CACHE_DIR': str(cache),
    'JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS': '0.1',
  }
  return subprocess.Popen(
    loop.command(folder),
    env=environment,
    text=True,
    stdout=subprocess.DEVNULL,
    stderr=subprocess.PIPE,
  )


def finish(process: subprocess.Popen) -> None:
  """Waits for the end; raises if it is a failure."""
  _, err = process.communicate()
  if process.returncode:
    raise RuntimeError(f'exit code {process.returncode}:\n{err}')


def undisturbed(loop: Loop, folder: pathlib.Path, cache: pathlib.Path) -> Times:
  """A run that nothing disturbs, in an empty folder."""
  begun = time.monotonic()
  process = start(loop, folder, cache)
  first, saves, since = None, [], {}
  while process.poll() is None:
    now = time.monotonic()
    being = set(_being_saved(folder, process.pid))
    for name in being - set(since):
      first = first or now - begun
      since[name] = now
    for name in set(since) - being:
      saves.append(now - since.pop(name))
    time.sleep(_POLL_SECONDS)
  finish(process)
  return Times(first, statistics.median(saves))


def kill(
  loop: Loop,
  folder: pathlib.Path,
  cache: pathlib.Path,
  times: Times,
  rng: random.Random,
) -> Kill | None:
  """Starts the process and kills it; None if the run came to its end before."""
  before = newest(folder)
  aim = rng.choices(AIMS, (1, 2, 2))[0]
  delay = rng.uniform(0, times.start if aim == START else loop.seconds)
  within = rng.uniform(0, 1.2 * times.save)
  process = start(loop, folder, cache)
  try:
    ended = aim != START and not _wait(
      process, lambda: _trains(folder, process.pid, before)
    )
    ended = ended or not _sleep(process, delay)
    if aim == SAVE and not ended:
      ended = not _wait(process, lambda: _being_saved(folder, process.pid))
      ended = ended or not _sleep(process, within)
  finally:
    process.send_signal(signal.SIGKILL)
  if ended or process.wait() != -signal.SIGKILL:
    finish(process)
    return None
  process.communicate()
  hit = TRAINING if _trains(folder, process.pid, before) else START
  if _being_saved(folder, process.pid):
    hit = SAVE
  checked = {
    path.name: checkpoint_files.verify(path)
    for path in _checkpoints(folder).glob('[0-9]*')
  }
  return Kill(
    aim,
    hit,
    before,
    newest(folder),
    len(checked),
    tuple(f'{name}: {why}' for name, why in checked.items() if why),
  )


def newest(folder: pathlib.Path) -> int:
  """The newest whole checkpoint; -1 if there is none."""
  found = checkpoint.Checkpoints(folder).newest()
  return -1 if found is None else found


def _wait(process, condition: Callable[[], object]) -> bool:
  """Waits for a condition; whether the process still runs."""
  until = time.monotonic() + _PATIENCE_SECONDS
  while process.poll() is None:
    if condition():
      return True
    if time.monotonic() > until:
      raise RuntimeError(f'nothing happened in {_PATIENCE_SECONDS} s')
    time.sleep(_POLL_SECONDS)
  return False


def _sleep(process, seconds: float) -> bool:
  """Lets time pass; whether the process still runs."""
  until = time.monotonic() + seconds
  return _wait(process, lambda: time.monotonic() >= until)


def _checkpoints(folder):
  return folder / checkpoint.FOLDER


def _being_saved(folder, pid) -> list[str]:
  """What this process writes, or deletes as too old, at the moment."""
  try:
    names = os.listdir(_checkpoints(folder))
  except FileNotFoundError:
    return []
  return [
    name for name in names if name.startswith('.') and name.endswith(f'.{pid}')
  ]


def _trains(folder, pid, before) -> bool:
  """Whether this process has trained: something is newer than its start."""
  if _being_saved(folder, pid):
    return True
  steps = checkpoint.Checkpoints(folder).steps()
  return bool(steps) and steps[-1] > before


def differences(folder: pathlib.Path, other: pathlib.Path) -> list[str]:
  """What differs at the end of two runs but the time they took."""
  found = []
  if _rows(folder) != _rows(other):
    found.append(metrics.CSV)
  if (folder / metrics.EVENTS).read_text() != (
    other / metrics.EVENTS
  ).read_text():
    found.append(metrics.EVENTS)
  step = newest(folder)
  if step != newest(other):
    return [*found, 'the step of the last checkpoint']
  (arrays, files), (others, other_files) = (
    _saved(checkpoint.Checkpoints(f).path(step)) for f in (folder, other)
  )
  for mine, theirs in ((arrays, others), (files, other_files)):
    found += sorted(
      name for name in {*mine, *theirs} if mine.get(name) != theirs.get(name)
    )
  return found


def _rows(folder):
  """Rows of metrics.csv without the clock's column."""
  with (folder / metrics.CSV).open(newline='') as file:
    return [
      {k: v for k, v in row.items() if k != 'seconds'}
      for row in csv.DictReader(file)
    ]


def _saved(folder):
  """Of a checkpoint: the bytes of its arrays, the digests of its data."""
  leaves = json.loads((folder / 'meta.json').read_text())['leaves']
  arrays = ocp.Checkpointer(ocp.StandardCheckpointHandler()).restore(
    folder / 'arrays',
    args=ocp.args.StandardRestore(
      {
        name: np.zeros(shape, dtype)
        for name, (shape, dtype) in leaves.items()
        if np.prod(shape)
      }
    ),
  )
  manifest = json.loads((folder / 'manifest.json').read_text())
  return (
    {k: np.asarray(v).tobytes() for k, v in arrays.items()},
    {k: v for k, v in manifest.items() if k.startswith('data/')},
  )
