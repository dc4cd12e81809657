"""The page of a diagnosis: the verdict first, then what it rests on."""

import base64
import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from plasticity_rl.analysis import files
from plasticity_rl.analysis import runs
from plasticity_rl.analysis import tables
from plasticity_rl.analysis import wording
from plasticity_rl.analysis.pages import curves
from plasticity_rl.analysis.pages import intervals
from plasticity_rl.analysis.pages import template
from plasticity_rl.analysis.pages.curves import Curve
from plasticity_rl.analysis.pages.figure import Figure
from plasticity_rl.analysis.pages.figure import Panels
from plasticity_rl.analysis.verdict import diagnosis as diagnoses
from plasticity_rl.analysis.verdict import statistics
from plasticity_rl.analysis.verdict import verdict as verdicts

Colors = Mapping[str, int]  # Arm -> index of its colour.

_TONES = {
  verdicts.LOSING: 'arm-2',
  verdicts.HURTS: 'arm-4',
  verdicts.NO_EVIDENCE: 'arm-3',
  verdicts.UNDECIDED: 'arm-5',
}
_MEANING = {
  verdicts.LOSING: (
    'Given fresh trainable weights that changed none of its predictions,'
    ' the same agent went on to learn more. What held it back was its'
    ' ability to learn.'
  ),
  verdicts.HURTS: (
    'Fresh trainable weights made things worse, although they changed none'
    ' of the predictions at that moment. Lost plasticity is not what holds'
    ' this agent back.'
  ),
  verdicts.NO_EVIDENCE: (
    'Fresh trainable weights gained less than what was said beforehand to'
    ' matter. At this point of training the ability to learn is not what'
    ' holds this agent back.'
  ),
  verdicts.UNDECIDED: (
    'These runs cannot tell lost plasticity from none. That is a statement'
    ' about the amount of evidence, not about the agent.'
  ),
}

# By whether the curves are from elsewhere.
_START = {
  False: (
    'All arms start from the same network, optimizer, replay, environment and'
    ' random keys.'
  ),
  True: (
    'That all arms start from the same state is what whoever made the curves'
    ' says; before the fork, control is shown.'
  ),
}

_INTERVAL = {
  True: 'Student’s t',
  False: 'the wider of an inverted sign-flip test and a studentised bootstrap',
}
_LARGER = {True: '', False: ' the larger p of both'}
# What the reader may rely on, and for which differences.
_PROMISES = {
  True: (
    'With fewer than 6 seeds no loss can be shown. A gain as large as the'
    ' margin is excluded by mistake in at most 2.5 % of studies if differences'
    ' between seeds are symmetric (it is asked for at 99 %), and in 3 to 9 % of'
    ' those simulated with a long tail of gains.'
  ),
  False: (
    'If differences between seeds are symmetric, each of these is said by'
    ' mistake in at most 2.5 % of studies: a loss of plasticity where the'
    ' injection gains nothing, harm where it does none, and no evidence where'
    ' the gain is the margin. With a mean of zero and a long tail of losses, a'
    ' loss of plasticity was said in 3 to 10 % of simulated studies, and in'
    ' more where a few seeds collapse that are not among these. The same holds'
    ' for no evidence and a long tail of gains.'
  ),
}


def build(
  diagnosis: diagnoses.Diagnosis, films: Mapping[str, bytes] | None = None
) -> str:
  """`report.html` of a diagnosis.

  Args:
    diagnosis: what the page is about.
    films: an animated GIF for each arm to be shown, which the page holds.
  """
  colors = _colors(diagnosis)
  verdict = diagnosis.verdict
  return template.render(
    'diagnosis',
    tone=_TONES[verdict.verdict],
    meaning=_MEANING[verdict.verdict] if verdict.arm else '',
    diagnosis=diagnosis,
    verdict=verdict,
    promises=_PROMISES[verdict.seeds < statistics.STUDENT_BELOW],
    colors=colors,
    learning_curves=_learning_curves(diagnosis, colors),
    differences=_differences(diagnosis, colors),
    films={
      arm: base64.b64encode(film).decode()
      for arm, film in (films or {}).items()
    },
    at_fork=_at_fork(diagnosis, colors),
    through_time=_through_time(diagnosis, colors),
    compute=_compute(diagnosis),
    records=_records(diagnosis),
  )


def _records(diagnosis: diagnoses.Diagnosis) -> dict[str, Mapping]:
  if diagnosis.foreign:
    return {'The curves': diagnosis.prefix.record}
  return {'The shared prefix': diagnosis.prefix.record} | {
    f'Arm {n}': r.record for n, r in diagnosis.arms.items()
  }


def _colors(diagnosis: diagnoses.Diagnosis) -> Colors:
  """0 for control, 1 for the injection, then the others."""
  others = iter(range(2, 2 + len(diagnosis.arms)))
  return {
    name: 0
    if name == diagnoses.CONTROL
    else 1
    if name == diagnosis.verdict.arm
    else next(others)
    for name in diagnosis.arms
  }


def _points(
  diagnosis: diagnoses.Diagnosis, metric: str
) -> list[tuple[str, int, int, float]]:
  """Rows (arm, seed, step, value) of a metric, the prefix as arm 'prefix'."""
  prefix = diagnosis.prefix_series(metric)
  named = [('prefix', prefix)] if prefix is not None else []
  for name, run in diagnosis.arms.items():
    if metric in run.table.metrics:
      series = run.table.series(metric)
      named.append((name, series.between(diagnosis.step - 1, math.inf)))
  return [
    (name, int(seed), int(step), float(s.values[i, j]))
    for name, s in named
    for i, seed in enumerate(s.seeds)
    for j, step in enumerate(s.steps)
    if s.measured[i, j]
  ]


def _curve(name: str, color: int, series: tables.Series) -> Curve:
  strong = color == 1  # The colour of the injection, where there is one.
  return Curve(name, color, series.steps, series.values, strong)


def _prefix(diagnosis: diagnoses.Diagnosis, metric: str) -> Curve | None:
  series = diagnosis.prefix_series(metric)
  return None if series is None else _curve('prefix', 0, series)


def _learning_curves(diagnosis: diagnoses.Diagnosis, colors: Colors) -> Figure:
  metric = diagnosis.metric
  prefix = _prefix(diagnosis, metric)
  return Figure(
    'What came before and after',
    *curves.learning_curves(
      [_curve(n, colors[n], diagnosis.after(n)) for n in diagnosis.arms],
      name='curves',
      metric=metric,
      fork=diagnosis.step,
      prefix=prefix,
      prefix_is='control' if diagnosis.foreign else 'shared by all',
    ),
    'Mean over seeds; the band is a 95 % interval of the mean at each point'
    f" (Student's t). {_START[diagnosis.foreign]}"
    + ' The two panels have time scales of their own.'
    * (prefix is not None),
    ('arm', 'seed', 'step', metric),
    _points(diagnosis, metric),
  )


def _differences(diagnosis: diagnoses.Diagnosis, colors: Colors) -> Figure:
  v = diagnosis.verdict
  seeds = diagnosis.after(diagnoses.CONTROL).seeds
  many = 'replicate' if v.replicates else 'seed'
  few = v.seeds < statistics.STUDENT_BELOW
  simulated = v.seeds > statistics.EXACT_UP_TO
  return Figure(
    'What each intervention changed',
    *intervals.intervals(
      [_difference(a, colors[a.arm], a.arm == v.arm) for a in v.arms],
      name='differences',
      label=f'difference in mean {v.metric} to control',
      zero=True,
      margin=v.margin,
    ),
    f'Each dot is one {many}: the arm minus control, in mean {v.metric} over'
    f' steps {diagnosis.step:,} to {diagnosis.step + diagnosis.horizon:,}'
    ' without the fork itself. Diamond and bar: mean and 95 % interval'
    f' ({_INTERVAL[few]}).'
    f' p: exact sign-flip test{", by simulation" * simulated}; for all arms'
    f' but the primary one{_LARGER[few]} adjusted after Holm.',
    ('arm', many, 'difference'),
    [
      (a.arm, int(s), d)
      for a in v.arms
      for s, d in zip(seeds, a.differences, strict=True)
    ],
  )


def _difference(
  arm: verdicts.ArmResult, color: int, primary: bool
) -> intervals.IntervalRow:
  """The paired differences of an arm as a row of an interval plot."""
  holm = arm.p_holm is not None
  p = wording.p_value(arm.p_holm if holm else arm.p)
  text = wording.interval(arm.effect, arm.low, arm.high)
  return intervals.IntervalRow(
    name=arm.arm,
    color=color,
    estimate=arm.effect,
    low=math.nan if arm.low is None else arm.low,
    high=math.nan if arm.high is None else arm.high,
    points=arm.differences,
    strong=primary,
    text=f'{text}, {p}{" (Holm)" * holm}',
  )


class _Measure(NamedTuple):
  """Something measured at the fork: its values `[S]` by arm, where known."""

  title: str
  by_arm: dict[str, np.ndarray]

  def mean(self, arm: str) -> str:
    """The mean of an arm over seeds, as text."""
    if arm not in self.by_arm:
      return '–'
    return wording.short(float(np.nanmean(self.by_arm[arm])))


class _AtFork(NamedTuple):
  measures: list[_Measure]
  panels: Panels


def _at_fork(diagnosis: diagnoses.Diagnosis, colors: Colors) -> _AtFork:
  metric, step = diagnosis.metric, diagnosis.step
  found = (
    (
      'largest change of an output',
      lambda arm: diagnosis.at_fork(arm, 'largest_output_change'),
    ),
    (
      'greedy actions kept',
      lambda arm: diagnosis.at_fork(arm, 'greedy_agreement'),
    ),
    (
      f'{metric} right after',
      lambda arm: _first(diagnosis.after(arm).between(step - 1, step)),
    ),
    (
      f'first {metric} in training',
      lambda arm: _first(diagnosis.after(arm).between(step, math.inf)),
    ),
  )
  measures = []
  for title, measure in found:
    by_arm = {arm: measure(arm) for arm in diagnosis.arms}
    by_arm = {
      arm: values
      for arm, values in by_arm.items()
      if values is not None and np.isfinite(values).any()
    }
    if by_arm:
      measures.append(_Measure(title, by_arm))
  drawings, data = [], []
  for i, (title, by_arm) in enumerate(measures):
    rows = [
      intervals.IntervalRow(n, colors[n], float(np.nanmean(x)), points=x)
      for n, x in by_arm.items()
    ]
    drawings.append(intervals.dots(rows, name=f'fork-{i}', title=title))
    data += [
      (title, arm, j, float(x))
      for arm, values in by_arm.items()
      for j, x in enumerate(values)
    ]
  header = ('measure', 'arm', 'number', 'value')
  return _AtFork(measures, Panels(drawings, files.csv_text(header, data)))


def _first(series: tables.Series) -> np.ndarray | None:
  """Values `[S]` at the first step; None if there is none."""
  return series.values[:, 0] if len(series.steps) else None


def _through_time(
  diagnosis: diagnoses.Diagnosis, colors: Colors
) -> Panels | None:
  seen = [m for r in diagnosis.arms.values() for m in r.table.metrics]
  metrics = [m for m in dict.fromkeys(seen) if m != diagnosis.metric]
  if not metrics:
    return None
  # What explains comes first; returns and losses of training follow.
  metrics.sort(key=lambda m: not m.startswith('plasticity/'))
  drawings, data = [], []
  for i, metric in enumerate(metrics):
    lines = []
    for name, run in diagnosis.arms.items():
      if metric in run.table.metrics:
        series = run.table.series(metric).between(diagnosis.step - 1, math.inf)
        if np.isfinite(series.values).any():
          lines.append(_curve(name, colors[name], series))
    if not lines:
      continue
    drawings.append(
      curves.small_curves(
        lines,
        name=f'time-{i}',
        title=metric.removeprefix('plasticity/'),
        prefix=_prefix(diagnosis, metric),
        fork=diagnosis.step,
      )
    )
    data += [(metric, *row) for row in _points(diagnosis, metric)]
  header = ('metric', 'arm', 'seed', 'step', 'value')
  return Panels(drawings, files.csv_text(header, data))


class _Compute(NamedTuple):
  """What runs cost: their names with FLOPs and seconds."""

  rows: list[tuple[str, list[float], list[float]]]
  csv: str


def _compute(diagnosis: diagnoses.Diagnosis) -> _Compute:
  keys = ('act_flops', 'update_flops', 'evaluation_flops', 'total_flops')
  rows = []
  for name, run in (
    {'shared prefix': diagnosis.prefix} | diagnosis.arms
  ).items():
    ledger = run.ledger or {}
    flops = [float(ledger.get(k, math.nan)) for k in keys]
    compiling = float(ledger.get('compile_seconds', math.nan))
    rows.append((name, flops, [runs.seconds(run), compiling]))
  header = ('arm', *keys, 'seconds', 'compile_seconds')
  data = [(name, *flops, *seconds) for name, flops, seconds in rows]
  return _Compute(rows, files.csv_text(header, data))
