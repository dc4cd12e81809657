"""Final scores, one a run: read, and summarised per algorithm and arm."""

import collections
import math
import pathlib
from collections.abc import Mapping, Sequence
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
    iqm: interquartile mean of all run x task scores. With 'stratified'
      resampling each task counts the same, however many runs it has.
    iqm_low: lower bound of its 95 % bootstrap interval; NaN if there is none.
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

  Seeds `0` and `0.0` are the same seed.

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
    key[-1] = _seed(key[-1])
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


def _seed(text: str) -> str:
  """A seed in one spelling: whole numbers without a point."""
  try:
    value = float(text)
  except ValueError:
    return text
  return str(int(value)) if value.is_integer() else text


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
  resampling: str = 'stratified',
  resamples: int = 10_000,
  seed: int = 0,
) -> list[Summary]:
  """A row for each algorithm and arm, in the order of their first score.

  Args:
    scores: of all runs.
    resampling: 'stratified' draws runs within each task: what other seeds on
      these tasks would give, as rliable does by default. 'pooled' draws from
      all run x task scores as one sample, so that the interval also holds the
      spread between tasks: what another set of such tasks might give. Then
      each run counts the same.
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
      continue
    runs_of = {
      arm: frozenset(
        (s.task, s.seed) for s in scores if s[:2] == (algorithm, arm)
      )
      for arm in tasks
    }
    if len(set(runs_of.values())) > 1:
      said.append(
        f'the arms of {algorithm} have different seeds: {_missing(runs_of)}'
      )
  said += _unbalanced(scores)
  none = [r for r in rows if math.isnan(r.iqm_low)]
  if none:
    names = ', '.join(f'{r.algorithm} {r.arm}' for r in none)
    said.append(f'a task with one run only, so no interval: {names}')
  return said


def _missing(runs_of: Mapping[str, frozenset[tuple[str, str]]]) -> str:
  """The first run that an arm lacks and another has, of each arm."""
  every = frozenset().union(*runs_of.values())
  parts = []
  for arm, found in runs_of.items():
    lacks = sorted(every - found)
    if lacks:
      task, seed = lacks[0]
      more = f' and {len(lacks) - 1} more' if len(lacks) > 1 else ''
      parts.append(f'{arm} lacks {task} seed {seed}{more}')
  return '; '.join(parts)


def _unbalanced(scores: Sequence[Score]) -> list[str]:
  """A note for each algorithm and arm whose tasks differ in their runs."""
  counts: dict[tuple[str, str], collections.Counter[str]] = {}
  for s in scores:
    counts.setdefault((s.algorithm, s.arm), collections.Counter())[s.task] += 1
  found = []
  for (algorithm, arm), runs_of in counts.items():
    most, least = max(runs_of.values()), min(runs_of.values())
    if most != least:
      few = [f'{task} {n}' for task, n in runs_of.items() if n < most]
      found.append(
        f'{algorithm} {arm} has fewer runs on some tasks ({", ".join(few)};'
        f' others {most}); a stratified IQM counts each task the same, a pooled'
        ' one each run'
      )
  return found


def to_csv(rows: Sequence[Summary]) -> str:
  """summary.csv, to six digits."""
  return files.csv_text(Summary._fields, rows, digits=6)


def to_text(rows: Sequence[Summary]) -> str:
  """The same as aligned columns, for the terminal."""
  lines = [Summary._fields]
  lines += [
    tuple(
      '-'
      if isinstance(v, float) and math.isnan(v)
      else f'{v:,.4g}'
      if isinstance(v, float) and abs(v) < 10
      else f'{v:,.1f}'
      if isinstance(v, float)
      else str(v)
      for v in row
    )
    for row in rows
  ]
  return wording.aligned(lines, right_from=2)
