"""A study's folder: the scores of its runs, and which of them are missing.

A *cell* is a task and a setting of the study's axes; its *arms* are compared
in it, seed by seed. `study.json` says which runs there should be; what is not
there, or failed, is listed, and the rest is reported.
"""

import dataclasses
import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from plasticity_rl.analysis import files
from plasticity_rl.analysis import runs
from plasticity_rl.analysis import tables
from plasticity_rl.analysis.verdict import diagnosis as diagnoses
from plasticity_rl.errors import UserError
from plasticity_rl.settings import arguments

STUDY = 'study.json'
CONTROL = diagnoses.CONTROL
TAIL = 0.1  # Of a run without a fork, whose mean is its score.
TASK = 'environment.name'  # An axis of its own.
_SEEDS = ('seed', 'num_seeds')

Setting = tuple[tuple[str, Any], ...]  # Axes with their values.


@dataclasses.dataclass(frozen=True)
class Missing:
  """A run that is not in the report.

  Attributes:
    name: of its folder.
    state: failed, running, waiting, or unreadable.
    error: what went wrong last.
    log: path of its output.
  """

  name: str
  state: str
  error: str
  log: str


@dataclasses.dataclass(frozen=True)
class Sample:
  """One arm of one run.

  Attributes:
    run: its name in the study.
    arm: what is compared within a cell.
    setting: where it is on the study's axes, task and seeds left out.
    seeds: `[S]`; a network that was continued several times is one.
    scores: `[S]`: the mean of the metric over the horizon of a fork, or over
      the last tenth of a run.
    series: the metric; from the fork on, if there is one.
    margin: the smallest gain that matters; 0 if none was said.
    record: the run folder.
    prefix: the run before the fork, or None.
    replicates: what the record calls seeds is one network, continued often.
  """

  run: str
  arm: str
  setting: Setting
  seeds: np.ndarray
  scores: np.ndarray
  series: tables.Series
  margin: float
  record: runs.RunResults
  prefix: runs.RunResults | None
  replicates: bool = False

  @property
  def algorithm(self) -> str:
    return self.record.name_of('agent')

  @property
  def task(self) -> str:
    return self.record.name_of('environment')

  def measured(self, metric: str) -> tables.Series:
    """Any metric of the record, a row for each of `seeds`."""
    series = self.record.table.series(metric)
    return series.as_one_seed() if self.replicates else series


@dataclasses.dataclass(frozen=True)
class StudyResults:
  """A study that was read.

  Attributes:
    path: the folder.
    record: `study.json`.
    metric: what scores are of.
    samples: of all runs that are complete.
    missing: the others.
    axes: values by key, in the study's order; those with two or more.
    prefixes: run folders of the prefixes that runs share.
  """

  path: pathlib.Path
  record: Mapping[str, Any]
  metric: str
  samples: tuple[Sample, ...]
  missing: tuple[Missing, ...]
  axes: Mapping[str, tuple[Any, ...]]
  prefixes: tuple[runs.RunResults, ...]

  @property
  def title(self) -> str:
    return str(self.record.get('title') or self.path.name)

  @property
  def tasks(self) -> tuple[str, ...]:
    return tuple(dict.fromkeys(s.task for s in self.samples))

  @property
  def arms(self) -> tuple[str, ...]:
    """Control first, then the injection, then as they come."""
    found = list(dict.fromkeys(s.arm for s in self.samples))
    first = [a for a in (CONTROL, 'injection') if a in found]
    return tuple(first + [a for a in found if a not in first])

  @property
  def settings(self) -> tuple[Setting, ...]:
    return tuple(dict.fromkeys(s.setting for s in self.samples))

  @property
  def has_control(self) -> bool:
    return CONTROL in self.arms and len(self.arms) > 1


def load(
  folder: str | pathlib.Path, *, metric: str | None = None
) -> StudyResults:
  """Reads a study; refuses one of which nothing is complete.

  Args:
    folder: with `study.json`.
    metric: what scores are of; by default that of the fork, or eval/return.
  """
  folder = pathlib.Path(folder)
  record = files.read_json(folder / STUDY)
  listed = record.get('runs')
  if not isinstance(listed, dict):
    raise UserError(f'{folder / STUDY} names no runs')
  samples: list[Sample] = []
  missing: list[Missing] = []
  for name, facts in listed.items():
    state = _state(folder, name)
    if state.get('state') != 'done':
      missing.append(_missing(name, state, state.get('state') or 'waiting'))
      continue
    try:
      samples += _samples(folder / 'runs' / name, name, facts, metric)
    except UserError as error:
      state |= {'error': str(error)}
      missing.append(_missing(name, state, 'unreadable'))
  if not samples:
    first = ''.join(
      f'; the first: {m.name}: {m.error or m.state}' for m in missing[:1]
    )
    raise UserError(f'no run of {folder} is complete yet{first}')
  prefixes = sorted((folder / 'prefixes').glob('*/ledger.json'))
  return StudyResults(
    path=folder,
    record=record,
    metric=metric or samples[0].series.metric,
    samples=tuple(samples),
    missing=tuple(missing),
    axes=axes_of(samples),
    prefixes=tuple(
      runs.load(path.parent, metrics_required=False) for path in prefixes
    ),
  )


def _state(folder, name):
  path = folder / 'jobs' / name / 'state.json'
  try:
    return json.loads(path.read_text())
  except (OSError, ValueError):
    return {}


def _missing(name, state, said):
  return Missing(
    name, said, str(state.get('error', '')), str(state.get('log', ''))
  )


def _samples(path, name, facts, metric):
  setting = setting_of(facts.get('axes', {}))
  if diagnoses.is_diagnosis(path):
    return _arms(path, name, setting, metric)
  run = runs.load(path)
  series = run.table.series(metric or diagnoses.DEFAULT_METRIC)
  if not len(series.steps):
    raise UserError(f'{path} has no value of {series.metric}')
  runs.require_finite(series, name)
  runs.require_complete(series, name)
  last = series.between((1 - TAIL) * series.steps[-1], series.steps[-1])
  return [
    Sample(
      run=name,
      arm=str(facts.get('arm') or 'all'),
      setting=setting,
      seeds=series.seeds,
      scores=last.values.mean(axis=1),
      series=series,
      margin=0.0,
      record=run,
      prefix=None,
    )
  ]


def _arms(path, name, setting, metric):
  found = diagnoses.load(path, metric=metric)
  scores, seeds = diagnoses.scores_after(
    found.arms, found.metric, found.step, found.horizon
  )
  after = {arm: found.after(arm) for arm in found.arms}
  replicates = found.verdict.replicates
  if replicates:  # They say nothing of other seeds: together they are one.
    seeds = seeds[:1]
    scores = {arm: s.mean(keepdims=True) for arm, s in scores.items()}
    after = {arm: series.as_one_seed() for arm, series in after.items()}
  return [
    Sample(
      run=name,
      arm=arm,
      setting=setting,
      seeds=np.array(seeds),
      scores=scores[arm],
      series=after[arm],
      margin=found.verdict.margin,
      record=run,
      prefix=found.prefix,
      replicates=replicates,
    )
    for arm, run in found.arms.items()
  ]


def setting_of(axes: Mapping[str, Any]) -> Setting:
  """The place of a run on the axes of its sweep."""
  return tuple(
    (key, hashable(_as_given(key, value)))
    for key, value in axes.items()
    if key not in (TASK, *_SEEDS)
  )


def _as_given(key, value):
  """A value of the sweep from its JSON."""
  is_json = key == arguments.PATH and isinstance(value, list)
  return arguments.resolve(value) if is_json else value


def hashable(value: Any) -> Any:
  """JSON's lists as the tuples they were, such as convolutions of three."""
  if isinstance(value, dict):
    return repr(value)
  if isinstance(value, (list, tuple)):
    return tuple(map(hashable, value))
  return value


def axes_of(samples: Sequence[Sample]) -> dict[str, tuple[Any, ...]]:
  """Values by key, of keys with two or more."""
  found: dict[str, dict[Any, None]] = {}
  for sample in samples:
    for key, value in sample.setting:
      found.setdefault(key, {})[value] = None
  return {
    key: tuple(_ordered(values))
    for key, values in found.items()
    if len(values) > 1
  }


def _ordered(values):
  """Numbers by size, the rest as they come."""
  values = list(values)
  if all(isinstance(v, int | float) for v in values):
    return sorted(values)
  return values


def place(task: str, setting: Setting) -> dict[str, Any]:
  """Where a cell is, by key: the task among the axes."""
  return {TASK: task, **dict(setting)}


def leaf(key: str, keys: Sequence[str] = ()) -> str:
  """The last part of a key, unless another of `keys` ends so too."""
  last = key.rsplit('.', 1)[-1]
  alike = [k for k in keys if k.rsplit('.', 1)[-1] == last]
  return key if len(alike) > 1 else last


def describe(setting: Setting, axes: Mapping[str, Any]) -> str:
  """A setting in words: those of its axes that vary."""
  parts = [
    f'{leaf(key, list(axes))} {text(value)}'
    for key, value in setting
    if key in axes
  ]
  return ', '.join(parts)


def text(value: Any) -> str:
  """A value of an axis, short."""
  if isinstance(value, bool) or value is None:
    return str(value)
  if isinstance(value, int | float):
    return f'{value:,}' if isinstance(value, int) else f'{value:g}'
  if isinstance(value, tuple):
    return '-'.join(text(v) for v in value) or 'none'
  return str(value)
