"""Runs for as long as there is time: SAC with and without resets, many seeds."""

import csv
import dataclasses
import pathlib
import signal
import subprocess
import sys
from typing import Any

import numpy as np

from benchmarks.accelerator.sizes import Sizes
from configs.studies import dmc
from plasticity_rl.errors import Interrupted
from plasticity_rl.errors import RunError

# Seconds in which a run that is told to stop has to be saved.
_SAVING = 300


@dataclasses.dataclass(frozen=True)
class Run:
  """One training run, which resumes.

  Attributes:
    name: of the part.
    arguments: of `plasticity_rl.train`, without the folder.
  """

  name: str
  arguments: tuple[str, ...]


def runs(sizes: Sizes) -> list[Run]:
  """At replay ratio 32, task by task, with resets and without."""
  if sizes.small:
    return [Run('sac_small', ('--config=configs/continual_catch.py:tiny',))]
  return [
    Run(
      f'sac_{task}_{arm}',
      (
        f'--config=configs/sac_dmc.py:{task},rr32'
        + ',resets' * (arm != 'rr32'),
        '--config.num_seeds=10',
      ),
    )
    for task in dmc.STATE_TASKS
    for arm in ('rr32', 'rr32_resets')
  ]


def train(
  run: Run, folder: pathlib.Path, seconds: float
) -> list[dict[str, Any]]:
  """Trains, and returns the last evaluation of each seed.

  Args:
    run: the run.
    folder: its run folder; what is there goes on.
    seconds: after which it is told to save and to stop.

  Raises:
    Interrupted: time was up; the same call goes on.
    RunError: it failed.
  """
  command = [
    sys.executable,
    '-m',
    'plasticity_rl.train',
    *run.arguments,
    f'--workdir={folder}',
  ]
  with subprocess.Popen(command) as process:
    try:
      code = process.wait(seconds)
    except subprocess.TimeoutExpired:
      process.send_signal(signal.SIGTERM)
      try:
        code = process.wait(_SAVING)
      except subprocess.TimeoutExpired:
        process.kill()
        raise
  # Told to stop before it listened, it has nothing to save.
  if code in (75, -signal.SIGTERM):
    raise Interrupted(f'{run.name}: goes on in {folder}')
  if code:
    raise RunError(f'{run.name}: train left with code {code}')
  return last_returns(folder)


def last_returns(folder: pathlib.Path) -> list[dict[str, Any]]:
  """The seeds of a run, and the mean of their last evaluations."""
  with (folder / 'metrics.csv').open(newline='') as file:
    rows = [row for row in csv.DictReader(file) if row.get('eval/return')]
  step = max(int(row['step']) for row in rows)
  returns = [float(r['eval/return']) for r in rows if int(r['step']) == step]
  return [
    {
      'step': step,
      'seeds': len(returns),
      'mean return': float(np.mean(returns)),
      'lowest': min(returns),
      'highest': max(returns),
    }
  ]
