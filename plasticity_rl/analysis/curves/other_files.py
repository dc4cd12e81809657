"""Evaluations of Stable-Baselines3, and runs of our own, as curves."""

import pathlib
import struct
import zipfile
import zlib

import numpy as np

from plasticity_rl.analysis import runs
from plasticity_rl.analysis.curves import curve as curves_lib
from plasticity_rl.analysis.curves import names
from plasticity_rl.analysis.curves.curve import Curve
from plasticity_rl.analysis.curves.curve import Point
from plasticity_rl.analysis.curves.question import EVALUATIONS
from plasticity_rl.analysis.curves.question import Question
from plasticity_rl.errors import UserError

# What zipfile and NumPy raise of files that are none, or are damaged.
_BROKEN = (
  AttributeError,
  EOFError,
  KeyError,
  OSError,
  RuntimeError,
  TypeError,
  ValueError,
  struct.error,
  zipfile.BadZipFile,
  zlib.error,
)


def read_evaluations(path: pathlib.Path, name: str) -> Curve:
  """Stable-Baselines3's `evaluations.npz`: the mean return of each evaluation.

  Args:
    path: of the file, with `timesteps` `[T]` and `results` `[T, episodes]`.
    name: of the run.

  Raises:
    UserError: it is no such file.
  """
  try:
    # Pickles are refused. NumPy leaves a broken file open that it opened.
    with path.open('rb') as file, np.load(file) as arrays:
      steps, results = (
        np.asarray(arrays[k], float) for k in ('timesteps', 'results')
      )
  except _BROKEN as error:
    raise UserError(
      f'cannot read {path} (timesteps and results are needed): {error}'
    ) from None
  if steps.ndim != 1 or results.ndim != 2 or len(steps) != len(results):
    raise UserError(
      f'{path}: expected timesteps [T] and results [T, episodes], found'
      f' {list(steps.shape)} and {list(results.shape)}'
    )
  if not results.size:
    raise UserError(f'{path} has no evaluation')
  points = zip(steps, results.mean(axis=1), strict=True)
  return curves_lib.from_points(
    str(path),
    [Point(f'evaluation {i}', *p) for i, p in enumerate(points)],
    name=name,
    metric=EVALUATIONS,
  )


def is_run(folder: pathlib.Path) -> bool:
  """Whether a folder is a run of this framework."""
  return all((folder / n).is_file() for n in ('config.json', 'metrics.csv'))


def curves_of_run(
  run: runs.RunResults, name: str, question: Question
) -> list[Curve]:
  """The metrics of a run of this framework, a curve for each seed.

  Its arm is that of `fork.json`, or else its name.
  """
  if question.names is None and run.fork and run.fork.get('arm'):
    arm = str(run.fork['arm'])
  else:
    arm = names.arm(name, question.names)
  found = []
  for metric in run.table.metrics:
    series = run.table.series(metric)
    for i, seed in enumerate(series.seeds):
      has = series.measured[i]
      found.append(
        Curve(
          f'{run.table.path}, column {metric!r}',
          name,
          metric,
          series.steps[has],
          series.values[i, has],
          arm,
          int(seed),
        )
      )
  return found
