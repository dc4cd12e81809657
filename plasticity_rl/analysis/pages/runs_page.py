"""The page of several plain runs: aggregate scores, then learning curves."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from plasticity_rl.analysis import runs
from plasticity_rl.analysis import wording
from plasticity_rl.analysis.pages import curves
from plasticity_rl.analysis.pages import intervals
from plasticity_rl.analysis.pages import template
from plasticity_rl.analysis.pages.figure import Figure
from plasticity_rl.analysis.study import scores as scoring

_DRAWN = {
  'pooled': 'all scores drawn from one pool',
  'stratified': 'runs drawn within each task',
}


class _Line(NamedTuple):
  """How an algorithm and arm is shown."""

  label: str
  color: int


_Lines = Mapping[tuple[str, str], _Line]


def build(
  loaded: Sequence[runs.RunResults],
  groups: Sequence[runs.Group],
  rows: Sequence[scoring.Summary],
  *,
  metric: str,
  resampling: str,
  notes: Sequence[str] = (),
) -> str:
  """`report.html` of run folders."""
  lines = _lines(rows)
  tasks = list(dict.fromkeys(g.task for g in groups))
  return template.render(
    'runs',
    tasks=tasks,
    folders=len(loaded),
    seeds=sum(len(g.seeds) for g in groups),
    metric=metric,
    step=runs.common_step(groups),
    notes=notes,
    aggregate=_aggregate(rows, lines, metric, resampling),
    summary_csv=scoring.to_csv(rows),
    rows=[(lines[r.algorithm, r.arm], r) for r in rows],
    learning_curves=[
      _curves([g for g in groups if g.task == task], i, lines, metric)
      for i, task in enumerate(tasks)
    ],
    records={str(r.path): r.record for r in loaded},
  )


def _lines(rows: Sequence[scoring.Summary]) -> _Lines:
  labels = {(r.algorithm, r.arm): f'{r.algorithm}, {r.arm}' for r in rows}
  if len({r.algorithm for r in rows}) == 1:
    labels = {key: key[1] for key in labels}
  if len(labels) == 1:
    labels = {key: key[0] for key in labels}
  # No run is the control here: every colour but its grey is free.
  return {key: _Line(labels[key], i + 1) for i, key in enumerate(labels)}


def _aggregate(
  rows: Sequence[scoring.Summary],
  lines: _Lines,
  metric: str,
  resampling: str,
) -> Figure:
  bars = []
  for r in rows:
    mean = wording.short(r.iqm)
    bars.append(
      intervals.IntervalRow(
        *lines[r.algorithm, r.arm],
        *(r.iqm, r.iqm_low, r.iqm_high),
        text=f'{mean} {wording.bounds(r.iqm_low, r.iqm_high)}'.rstrip(),
      )
    )
  return Figure(
    'Aggregate scores',
    *intervals.intervals(
      bars, name='iqm', label=f'interquartile mean of {metric}'
    ),
    'Interquartile mean: the mean of the middle half of all run x task'
    f' scores; 95 % percentile bootstrap, {_DRAWN[resampling]}.'
    ' Scores of different tasks are taken as they are: their scales should'
    ' agree.',
    scoring.Summary._fields,
    rows,
  )


def _curves(
  groups: Sequence[runs.Group], number: int, lines: _Lines, metric: str
) -> Figure:
  """Of the groups of one task."""
  return Figure(
    f'Learning curves: {groups[0].task}',
    *curves.learning_curves(
      [
        curves.Curve(*lines[g.algorithm, g.arm], g.steps, g.values)
        for g in groups
      ],
      name=f'curves-{number}',
      metric=metric,
    ),
    "Mean over seeds with its 95 % interval (Student's t).",
    ('algorithm', 'arm', 'seed', 'step', metric),
    [
      (g.algorithm, g.arm, int(seed), int(step), float(g.values[i, j]))
      for g in groups
      for i, seed in enumerate(g.seeds)
      for j, step in enumerate(g.steps)
    ],
  )
