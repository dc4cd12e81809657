"""Final scores, one a run: read, and summarised per algorithm and arm."""

import math
import pathlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from plasticity_rl.analysis import files
from plasticity_rl.analysis import runs
from plasticity_rl.analysis import tables
from plasticity_rl.analysis import wording
from plasticity_rl.analysis.verdict import statistics
from plasticity_rl.errors import UserError
from plasticity_rl.errors import nearest

COLUMNS = ('algorithm', 'arm', 'task', 'seed', 'return')
RESAMPLING = ('pooled', 'stratified')


class Score(NamedTuple):
  """The score of one run."""

  algorithm: str
  arm: str
  task: str
  seed: str
  value: float


class Summary(NamedTuple):
  """One row of summary.csv.

  Attributes:
    algorithm: what was run.
    arm: in which variant.
    iqm: interquartile mean of all run x task scores, pooled.
    iqm_low: lower bound of its 95 % bootstrap interval.
    iqm_high: upper bound.
    mean: mean over tasks of the mean over runs.
    median: median over tasks of the mean over runs, as in rliable.
    runs: how many, over all tasks.
    tasks: how many.
  """

  algorithm: str
  arm: str
  iqm: float
  iqm_low: float
  iqm_high: float
  mean: float
  median: float
  runs: int
  tasks: int


def read(path: str | pathlib.Path) -> list[Score]:
  """Reads a file of scores; columns beyond the five needed are ignored.

  Raises:
    UserError: naming file, line and column: a missing file or column, no
      rows, a return that is not finite, an empty name, a run given twice.
  """
  path = pathlib.Path(path)
  header, rows = tables.read_rows(path, COLUMNS)
  at = [header.index(c) for c in COLUMNS]
  found: dict[tuple[str, ...], int] = {}
  scores = []
  for line, row in rows:
    *key, text = (row[i].strip() for i in at)
    for name, cell in zip(COLUMNS, key, strict=False):
      if not cell:
        raise UserError(f'{path}, line {line}, column {name!r} is empty')
    value = tables.number(text, path, line, 'return')
    if not math.isfinite(value):
      raise UserError(
        f"{path}, line {line}, column 'return': {text!r} is not a finite number"
      )
    if tuple(key) in found:
      raise UserError(
        f'{path}, line {line}: the same run ({", ".join(key)}) stands in'
        f' line {found[tuple(key)]}'
      )
    found[tuple(key)] = line
    scores.append(Score(*key, value))
  return scores


def from_groups(groups: Sequence[runs.Group]) -> list[Score]:
  """The last value of each run at the last step that all of them reached."""
  until = runs.common_step(groups)
  scores = []
  for g in groups:
    if g.steps[0] > until:
      raise UserError(
        f'{g.algorithm}, {g.arm} on {g.task} begins at step {g.steps[0]},'
        f' after another has ended at {until}: nothing to compare'
      )
    last = int(np.searchsorted(g.steps, until, side='right')) - 1
    scores += [
      Score(g.algorithm, g.arm, g.task, str(s), float(v))
      for s, v in zip(g.seeds, g.values[:, last], strict=True)
    ]
  return scores


def summarise(
  scores: Sequence[Score],
  *,
  resampling: str = 'pooled',
  resamples: int = 10_000,
  seed: int = 0,
) -> list[Summary]:
  """A row for each algorithm and arm, in the order of their first score.

  Args:
    scores: of all runs.
    resampling: 'pooled' draws from all run x task scores as one sample, so
      that the interval also holds the spread between tasks: what another set
      of such tasks might give. 'stratified' draws runs within each task: what
      other seeds on these very tasks would give (rliable's default).
    resamples: of the bootstrap.
    seed: of numpy's generator.
  """
  if resampling not in RESAMPLING:
    raise UserError(nearest('resampling', resampling, RESAMPLING))
  arms: dict[tuple[str, str], dict[str, list[float]]] = {}
  for s in scores:
    tasks = arms.setdefault((s.algorithm, s.arm), {})
    tasks.setdefault(s.task, []).append(s.value)
  rows = []
  for (algorithm, arm), tasks in arms.items():
    by_task = [np.array(v) for v in tasks.values()]
    pooled = np.concatenate(by_task)
    drawn = by_task if resampling == 'stratified' else [pooled]
    interval = statistics.stratified_bootstrap(
      drawn, resamples=resamples, seed=seed
    )
    means = [float(np.mean(t)) for t in by_task]
    rows.append(
      Summary(
        algorithm,
        arm,
        *interval,
        float(np.mean(means)),
        float(np.median(means)),
        len(pooled),
        len(by_task),
      )
    )
  return rows


def notes(scores: Sequence[Score], rows: Sequence[Summary]) -> list[str]:
  """What a reader of the summary should know, a sentence each."""
  said = []
  for algorithm in dict.fromkeys(s.algorithm for s in scores):
    tasks = {
      arm: frozenset(s.task for s in scores if s[:2] == (algorithm, arm))
      for arm in dict.fromkeys(
        s.arm for s in scores if s.algorithm == algorithm
      )
    }
    if len(set(tasks.values())) > 1:
      said.append(
        f'the arms of {algorithm} were run on different tasks: their'
        ' summaries are not comparable'
      )
  few = [r for r in rows if r.runs == 1]
  if few:
    names = ', '.join(f'{r.algorithm} {r.arm}' for r in few)
    said.append(f'one run only, so no interval: {names}')
  return said


def to_csv(rows: Sequence[Summary]) -> str:
  """summary.csv, to six digits."""
  return files.csv_text(Summary._fields, rows, digits=6)


def to_text(rows: Sequence[Summary]) -> str:
  """The same as aligned columns, for the terminal."""
  lines = [Summary._fields]
  lines += [
    tuple(
      f'{v:,.4g}'
      if isinstance(v, float) and abs(v) < 10
      else f'{v:,.1f}'
      if isinstance(v, float)
      else str(v)
      for v in row
    )
    for row in rows
  ]
  return wording.aligned(lines, right_from=2)
