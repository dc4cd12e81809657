"""What a claim is about: one number a seed, read from a study's runs.

- `Level`: what an arm has;
- `Contrast`: an arm minus another, paired by seed;
- `Difference`: a contrast minus another;
- `Trend`: how the one or the other goes along an axis of the sweep.

A *place* is a task and a value of each axis. `at` says at which places, such as
`{'replay.updates_per_step': 8.0}`. Where several agree with it, a seed's number
is the mean over them: axes and tasks that are not named are averaged over. (The
scores of several tasks are put on one scale first, unless they are percent.)
"""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from plasticity_rl.analysis import runs
from plasticity_rl.analysis.study import study as studies
from plasticity_rl.analysis.study import tables
from plasticity_rl.analysis.study.study import Sample
from plasticity_rl.analysis.study.study import StudyResults
from plasticity_rl.analysis.verdict import rank_correlation
from plasticity_rl.errors import UserError
from plasticity_rl.errors import nearest

AT_FORK = 'at_fork/'  # Before a name of fork.json, such as greedy_agreement.
COSTS: Mapping[str, Callable[[runs.RunResults], float]] = {
  'flops': runs.flops,
  'seconds': runs.seconds,
}
FORK, LAST = 'fork', 'last'

Place = dict[str, Any]
BySeed = dict[int, float]


class Values(NamedTuple):
  """One number a seed.

  Attributes:
    seeds: sorted, `[S]`.
    values: `[S]`.
    lacking: seeds that are left out, each with what it lacks, in words.
  """

  seeds: tuple[int, ...]
  values: np.ndarray
  lacking: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Level:
  """What an arm has at a place: its score, or something else of it.

  Attributes:
    arm: its name; `all` in a study without named arms.
    at: where; see the module.
    column: '' for the score: the mean of the metric over the horizon of a fork,
      or over the last tenth of a run. Else a column of metrics.csv;
      `at_fork/greedy_agreement` and its like of fork.json; `flops` of a seed or
      `seconds` of a run, by its ledger.
    step: of a column: when, `fork` for the fork, `last` for the end.
  """

  arm: str
  at: Mapping[str, Any] = dataclasses.field(default_factory=dict)
  _: dataclasses.KW_ONLY
  column: str = ''
  step: int | str = LAST

  zero = None  # No value of it says that nothing happened.

  @property
  def text(self) -> str:
    """What it is, in words."""
    return f'{self.arm}{_where(self.at)}{_reading(self.column, self.step)}'

  def of(self, study: StudyResults) -> Values:
    """Its value of each seed."""
    found = _read(study, self.arm, self.at, self.column, self.step)
    tasks = {place[studies.TASK] for place, _ in found}
    scale = tables.normaliser(study) if not self.column else {}
    parts = []
    for place, by_seed in found:
      shift, size = (
        scale.get(place[studies.TASK], (0.0, 1.0))
        if len(tasks) > 1
        else (0.0, 1.0)
      )
      parts.append({s: (v - shift) / size for s, v in by_seed.items()})
    return _mean(parts, self.text)


@dataclasses.dataclass(frozen=True)
class Contrast:
  """An arm minus another at the same places, paired by seed: `x_s - b_s`.

  Attributes:
    arm: its name.
    base: what it is compared with.
    at: where; see the module.
    base_at: what is otherwise at the base's place, such as
      `{'replay.priming_updates': 0}`.
    percent: `100 (x_s - b_s) / max(|b|, m)` instead, with b the base's mean
      over seeds at that place and m its margin (0 of a column; see
      `tables.Gain`).
    column: see `Level`.
    step: see `Level`.
  """

  arm: str
  base: str = studies.CONTROL
  at: Mapping[str, Any] = dataclasses.field(default_factory=dict)
  _: dataclasses.KW_ONLY
  base_at: Mapping[str, Any] = dataclasses.field(default_factory=dict)
  percent: bool = False
  column: str = ''
  step: int | str = LAST

  zero = 0.0

  @property
  def text(self) -> str:
    """What it is, in words."""
    return (
      f'{self.arm}{_where(self.at)} − {self.base}{_where(self.base_at)}'
      f'{_reading(self.column, self.step)}{", percent" * self.percent}'
    )

  def of(self, study: StudyResults) -> Values:
    """The difference of each seed that both arms have."""
    mine = _read(study, self.arm, self.at, self.column, self.step)
    theirs = _read(
      study, self.base, self.base_at, self.column, self.step, self.at
    )
    tasks = {place[studies.TASK] for place, _ in mine}
    on_one_scale = len(tasks) > 1 and not (self.percent or self.column)
    scale = tables.normaliser(study) if on_one_scale else {}
    parts, lacking = [], []
    for place, by_seed in mine:
      base = _beside({**place, **self.base_at}, theirs, self.base)
      _, size = scale.get(place[studies.TASK], (0.0, 1.0))
      both = [s for s in by_seed if s in base]
      if self.percent:
        size = self._percent(study, [base[s] for s in both])
      parts.append({s: (by_seed[s] - base[s]) / size for s in both})
      lacking += _lacking(by_seed, base, self.arm, self.base)
    found = _mean(parts, self.text)
    return found._replace(lacking=(*dict.fromkeys(lacking), *found.lacking))

  def _percent(self, study: StudyResults, base: Sequence[float]) -> float:
    """What a percent of the base is; its margin is that of scores."""
    margins = [s.margin for s in study.samples if s.arm == self.base]
    size = abs(float(np.mean(base))) if base else 0.0
    return (
      max([size, *margins] if not self.column else [size]) / 100 or math.nan
    )


@dataclasses.dataclass(frozen=True)
class Difference:
  """A contrast minus another, paired by seed: does it depend on something?

  Attributes:
    first: for example at a replay ratio of 32.
    second: the same at a replay ratio of 1.
  """

  first: Contrast
  second: Contrast

  zero = 0.0

  @property
  def text(self) -> str:
    """What it is, in words."""
    return f'({self.first.text}) − ({self.second.text})'

  def of(self, study: StudyResults) -> Values:
    """The difference of each seed that both contrasts have."""
    a, b = self.first.of(study), self.second.of(study)
    seeds, i, j = np.intersect1d(a.seeds, b.seeds, return_indices=True)
    lacking = [*a.lacking, *b.lacking]
    lacking += _lacking(a.seeds, b.seeds, self.first.text, self.second.text)
    return Values(
      tuple(map(int, seeds)),
      a.values[i] - b.values[j],
      tuple(dict.fromkeys(lacking)),
    )


@dataclasses.dataclass(frozen=True)
class Trend:
  """Whether it rises along an axis: Spearman's rho of each seed, -1 to 1.

  Ties in a seed count half, and a seed for which it is the same everywhere has
  rho 0. The mean over seeds is Page's L, shifted and scaled (Page, 1963).

  Attributes:
    quantity: what may rise.
    axis: key of the sweep; its values by size if they are numbers, else in the
      order of the sweep.
  """

  quantity: Level | Contrast | Difference
  axis: str

  zero = 0.0

  @property
  def text(self) -> str:
    """What it is, in words."""
    return f'trend along {studies.leaf(self.axis)} of {self.quantity.text}'

  def of(self, study: StudyResults) -> Values:
    """The rank correlation of each seed."""
    if self.axis not in study.axes:
      raise UserError(nearest('axis of the sweep', self.axis, study.axes))
    points = [
      _moved(self.quantity, {self.axis: value}).of(study)
      for value in study.axes[self.axis]
    ]
    seeds = sorted(set.intersection(*(set(p.seeds) for p in points)))
    lacking = [text for p in points for text in p.lacking]
    for value, p in zip(study.axes[self.axis], points, strict=True):
      every = set().union(*(q.seeds for q in points))
      where = f'{studies.leaf(self.axis)} {studies.text(value)}'
      lacking += _lacking(every, p.seeds, 'another value', where)
    rows = np.array(
      [[p.values[p.seeds.index(seed)] for p in points] for seed in seeds]
    ).reshape(len(seeds), len(points))
    rho = rank_correlation.spearman(rows, np.arange(float(len(points))))
    rho = np.where(np.isnan(rho) & np.isfinite(rows).all(axis=1), 0.0, rho)
    return Values(tuple(seeds), rho, tuple(dict.fromkeys(lacking)))


Quantity = Level | Contrast | Difference | Trend


def columns(quantity: Quantity) -> tuple[str, ...]:
  """What a quantity reads besides scores."""
  if isinstance(quantity, Trend):
    return columns(quantity.quantity)
  if isinstance(quantity, Difference):
    return (*columns(quantity.first), *columns(quantity.second))
  return (quantity.column,) if quantity.column else ()


def _moved(quantity, point: Mapping[str, Any]):
  """The same at another place."""
  if isinstance(quantity, Difference):
    return Difference(
      _moved(quantity.first, point), _moved(quantity.second, point)
    )
  return dataclasses.replace(quantity, at={**quantity.at, **point})


def _read(
  study: StudyResults,
  arm: str,
  at: Mapping[str, Any],
  column: str,
  step: int | str,
  wanted: Mapping[str, Any] | None = None,
) -> list[tuple[Place, BySeed]]:
  """Values by seed of an arm at every place that agrees with `at`.

  `wanted` may be more, which a place need not have to agree with.
  """
  every = [
    (studies.place(task, setting), arms)
    for (task, setting), arms in tables.cells(study).items()
  ]
  if arm not in study.arms:
    raise UserError(nearest('arm', arm, study.arms))
  for key, value in {**(wanted or {}), **at}.items():
    values = {place[key]: None for place, _ in every if key in place}
    if not values:
      keys = {key for place, _ in every for key in place}
      raise UserError(nearest('axis of the sweep', key, keys))
    if studies.hashable(value) not in values:
      known = ', '.join(map(studies.text, values))
      raise UserError(f'{key} is never {value!r}: it is {known}')
  found = []
  for place, arms in every:
    if arm not in arms or not agrees(place, at):
      continue
    values = {}
    for sample in arms[arm]:
      numbers = _numbers(sample, column, step)
      values |= dict(zip(map(int, sample.seeds), numbers, strict=True))
    found.append((place, values))
  if not found:
    raise UserError(f'there is no {arm}{_where(at)}')
  return found


def agrees(place: Place, at: Mapping[str, Any]) -> bool:
  """Whether a place is one that `at` means."""
  return all(
    key in place and place[key] == studies.hashable(value)
    for key, value in at.items()
  )


def _beside(
  place: Place, found: Sequence[tuple[Place, BySeed]], arm: str
) -> BySeed:
  """Of the place that agrees with this one; it may lack some of its axes."""
  there = [v for other, v in found if other.items() <= place.items()]
  if len(there) != 1:
    what = 'no' if not there else 'more than one'
    where = {k: v for k, v in place.items() if k != studies.TASK}
    raise UserError(
      f'there is {what} {arm}{_where(where)} to compare with: give base_at'
    )
  return there[0]


def _numbers(sample: Sample, column: str, step: int | str) -> np.ndarray:
  """What is asked of a sample, one a seed."""
  if not column:
    return sample.scores
  if column in COSTS:
    return np.full(len(sample.seeds), COSTS[column](sample.record))
  if column.startswith(AT_FORK):
    name = column.removeprefix(AT_FORK)
    values = ((sample.record.fork or {}).get('at_fork') or {}).get(name)
    if values is None:
      raise UserError(f'run {sample.run!r} has no {column}')
    values = np.array(values, float).ravel()
    return values.mean(keepdims=True) if sample.replicates else values
  series = sample.measured(column)
  if step == FORK and sample.prefix is None:
    raise UserError(f'run {sample.run!r} has no fork: give the step')
  wanted = {FORK: series.steps[:1], LAST: series.steps[-1:]}.get(step, [step])
  every = [series]
  if sample.prefix is not None and column in sample.prefix.table.columns:
    every.append(sample.prefix.table.series(column))
  for one in every:
    at = np.flatnonzero(np.isin(one.steps, wanted))
    if len(at):
      return one.values[:, at[0]]
  steps = np.unique(np.concatenate([one.steps for one in every]))
  if not len(steps):
    raise UserError(f'run {sample.run!r} has no {column}')
  close = steps[np.argsort(np.abs(steps - step))[:2]]
  raise UserError(
    f'run {sample.run!r} has no {column} at step {step:,}; next to it: '
    + ', '.join(f'{s:,}' for s in sorted(close))
  )


def _mean(parts: Sequence[BySeed], text: str) -> Values:
  """Of each seed, over the places: only of seeds that all of them have."""
  every = sorted(set().union(*parts))
  seeds = [s for s in every if all(s in part for part in parts)]
  lacking = [
    f'seed {s} of {text}, at some places' for s in every if s not in seeds
  ]
  values = np.array([[part[s] for part in parts] for s in seeds], float)
  values = values.reshape(len(seeds), len(parts)).mean(axis=1)
  return Values(tuple(seeds), values, tuple(lacking))


def _lacking(a, b, first: str, second: str) -> list[str]:
  """The seeds that one has and the other lacks, in words."""
  found = [(s, second) for s in sorted(set(a) - set(b))]
  found += [(s, first) for s in sorted(set(b) - set(a))]
  return [f'seed {s} of {name}' for s, name in found]


def _where(at: Mapping[str, Any]) -> str:
  parts = [f'{studies.leaf(k)} {studies.text(v)}' for k, v in at.items()]
  return f' at {", ".join(parts)}' if parts else ''


def _reading(column: str, step: int | str) -> str:
  if not column or column in COSTS or column.startswith(AT_FORK):
    return f', {column}' if column else ''
  when = {FORK: 'at the fork', LAST: 'at the end'}.get(step)
  return f', {column} {when or f"at step {step:,}"}'
