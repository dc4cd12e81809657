"""What a study's scores come to: gains, aggregates, probabilities, profiles."""

import dataclasses
import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from plasticity_rl.analysis.study import scores as scoring
from plasticity_rl.analysis.study import study as studies
from plasticity_rl.analysis.study.study import Sample
from plasticity_rl.analysis.study.study import Setting
from plasticity_rl.analysis.study.study import StudyResults
from plasticity_rl.analysis.verdict import statistics
from plasticity_rl.analysis.verdict.statistics import Interval

# Said wherever percentages are shown.
PERCENT = (
  'Percent change = 100 (a - c) / max(|c|, m): a and c are the means over'
  ' seeds of the arm and of its control, m the smallest gain that was said to'
  ' matter beforehand (0 if nothing was said), which keeps a control near'
  ' zero from dividing.'
)
NORMALISED = (
  'Tasks have scales of their own, so scores are put on one first: (x -'
  ' lowest) / (highest - lowest), over all scores of the task in this study.'
)


@dataclasses.dataclass(frozen=True)
class Gain:
  """An arm against the control of its cell.

  Attributes:
    task: of the cell.
    setting: of the cell.
    arm: which arm.
    control: mean score of the control, over the seeds that both have.
    mean: mean score of the arm, over the same.
    interval: of the mean paired difference over seeds.
    p: two-sided sign-flip p.
    differences: of each seed that both have, `[S]`.
    margin: the smallest gain that matters; 0 if none was said.
  """

  task: str
  setting: Setting
  arm: str
  control: float
  mean: float
  interval: Interval
  p: float
  differences: np.ndarray
  margin: float

  @property
  def percent(self) -> Interval:
    """The interval in percent of the control; NaN where that is zero."""
    base = max(abs(self.control), self.margin)
    scale = 100 / base if base else math.nan
    return Interval(*(scale * v for v in self.interval))


class Aggregate(NamedTuple):
  """An arm in a setting, over its tasks.

  Attributes:
    setting: the setting.
    arm: the arm.
    iqm: interquartile mean over runs x tasks, runs resampled within tasks.
    mean: mean over tasks of the mean over seeds.
    better: probability that a run of the arm beats one of the control, the mean
      over tasks; NaN without a control.
    runs: seeds, over all tasks.
    tasks: how many.
  """

  setting: Setting
  arm: str
  iqm: Interval
  mean: float
  better: Interval
  runs: int
  tasks: int


def pool(samples: Iterable[Sample]) -> tuple[np.ndarray, np.ndarray]:
  """Seeds and scores of samples of one arm, sorted by seed."""
  samples = list(samples)
  seeds = np.concatenate([s.seeds for s in samples])
  scores = np.concatenate([s.scores for s in samples])
  order = np.argsort(seeds, kind='stable')
  return seeds[order], scores[order]


def cells(
  study: StudyResults,
) -> dict[tuple[str, Setting], dict[str, list[Sample]]]:
  """Samples by task and setting, then by arm."""
  found: dict = {}
  for sample in study.samples:
    cell = found.setdefault((sample.task, sample.setting), {})
    cell.setdefault(sample.arm, []).append(sample)
  return found


def gains(study: StudyResults) -> list[Gain]:
  """Every arm against its control, in every cell that has one."""
  found = []
  for (task, setting), arms in cells(study).items():
    if studies.CONTROL not in arms:
      continue
    base_seeds, base = pool(arms[studies.CONTROL])
    for arm in study.arms:
      if arm == studies.CONTROL or arm not in arms:
        continue
      seeds, scores = pool(arms[arm])
      common, i, j = np.intersect1d(base_seeds, seeds, return_indices=True)
      if not len(common):
        continue
      differences = scores[j] - base[i]
      found.append(
        Gain(
          task=task,
          setting=setting,
          arm=arm,
          control=float(base[i].mean()),
          mean=float(scores[j].mean()),
          interval=statistics.paired_difference(differences),
          p=statistics.sign_flip_test(differences),
          differences=differences,
          margin=max(s.margin for s in arms[studies.CONTROL]),
        )
      )
  return found


def normaliser(study: StudyResults) -> dict[str, tuple[float, float]]:
  """Shift and scale of each task; (0, 1) where there is one task alone."""
  if len(study.tasks) == 1:
    return {study.tasks[0]: (0.0, 1.0)}
  found = {}
  for task in study.tasks:
    scores = np.concatenate([s.scores for s in study.samples if s.task == task])
    low, high = float(scores.min()), float(scores.max())
    found[task] = (low, (high - low) or 1.0)
  return found


def by_task(
  study: StudyResults, arm: str, setting: Setting | None = None
) -> dict[str, np.ndarray]:
  """Scores of an arm on each task `[runs]`, on one scale."""
  scale = normaliser(study)
  found = {}
  for task in study.tasks:
    samples = [
      s
      for s in study.samples
      if s.task == task and s.arm == arm and setting in (None, s.setting)
    ]
    if samples:
      shift, size = scale[task]
      found[task] = (pool(samples)[1] - shift) / size
  return found


def probability_of_improvement(
  x: Sequence[np.ndarray],
  y: Sequence[np.ndarray],
  *,
  resamples: int = 2000,
  seed: int = 0,
) -> Interval:
  """P(a run of x beats one of y), the mean over tasks, a tie being half.

  Of each task it is the Mann-Whitney U over the number of pairs (Agarwal et
  al., "Deep RL at the Edge of the Statistical Precipice", 2021); the interval
  is of a bootstrap over runs within each task, NaN if a task has a single run.

  Args:
    x: scores `[runs]` of each task.
    y: of the same tasks.
    resamples: of the bootstrap.
    seed: of numpy's generator.
  """
  rng = np.random.default_rng(seed)
  estimates, drawn = [], []
  for a, b in zip(x, y, strict=True):
    wins = (np.sign(a[:, None] - b[None]) + 1) / 2  # [A, B]
    estimates.append(wins.mean())
    rows = rng.multinomial(len(a), np.full(len(a), 1 / len(a)), size=resamples)
    columns = rng.multinomial(
      len(b), np.full(len(b), 1 / len(b)), size=resamples
    )
    drawn.append(
      np.einsum('ra,ab,rb->r', rows, wins, columns) / (len(a) * len(b))
    )
  low, high = np.quantile(np.mean(drawn, axis=0), [0.025, 0.975])
  if min(map(len, [*x, *y])) < 2:
    low = high = math.nan
  return Interval(float(np.mean(estimates)), float(low), float(high))


def aggregates(study: StudyResults) -> list[Aggregate]:
  """A row for each setting and arm."""
  found = []
  for setting in study.settings:
    control = by_task(study, studies.CONTROL, setting)
    for arm in study.arms:
      mine = by_task(study, arm, setting)
      if not mine:
        continue
      better = Interval(math.nan, math.nan, math.nan)
      both = [task for task in mine if task in control]
      if both and arm != studies.CONTROL:
        better = probability_of_improvement(
          [mine[t] for t in both], [control[t] for t in both]
        )
      found.append(
        Aggregate(
          setting,
          arm,
          statistics.stratified_bootstrap(list(mine.values())),
          float(np.mean([v.mean() for v in mine.values()])),
          better,
          sum(map(len, mine.values())),
          len(mine),
        )
      )
  return found


def profile(
  scores_by_task: Sequence[np.ndarray],
  taus: np.ndarray,
  *,
  resamples: int = 500,
  seed: int = 0,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """The share of runs with a score above tau, `[T]`, and its 95 % band.

  The mean over tasks of the share of a task's runs; runs are resampled within
  tasks, and the band is pointwise. It is NaN if a task has a single run.
  """
  rng = np.random.default_rng(seed)
  shares, drawn = [], []
  for scores in scores_by_task:
    above = (scores[:, None] > taus[None]).astype(float)  # [R, T]
    shares.append(above.mean(axis=0))
    counts = rng.multinomial(
      len(scores), np.full(len(scores), 1 / len(scores)), size=resamples
    )
    drawn.append(counts @ above / len(scores))
  low, high = np.quantile(np.mean(drawn, axis=0), [0.025, 0.975], axis=0)
  if min(map(len, scores_by_task)) < 2:
    low, high = np.full_like([low, high], math.nan)
  return np.mean(shares, axis=0), low, high


def scaled_gains(
  study: StudyResults, arm: str
) -> list[tuple[dict[str, Any], np.ndarray]]:
  """(setting, gains `[S]` on one scale) of an arm, for each of its cells."""
  scale = normaliser(study)
  return [
    (dict(g.setting), g.differences / scale[g.task][1])
    for g in gains(study)
    if g.arm == arm
  ]


def scaled_scores(
  study: StudyResults, arm: str
) -> list[tuple[dict[str, Any], np.ndarray]]:
  """(setting, scores `[S]` on one scale) of an arm, for each of its runs."""
  scale = normaliser(study)
  return [
    (dict(s.setting), (s.scores - scale[s.task][0]) / scale[s.task][1])
    for s in study.samples
    if s.arm == arm
  ]


def along(
  study: StudyResults, axis: str, arm: str, *, gain: bool
) -> list[tuple[object, Interval, np.ndarray]]:
  """Score, or gain over the control, by the value of an axis.

  Over everything else in the study: seeds, tasks and the other axes count as
  one sample each.

  Returns:
    (value, mean with its interval, what it is the mean of) in order.
  """
  every = (scaled_gains if gain else scaled_scores)(study, arm)
  found = []
  for value in study.axes[axis]:
    here = [v for setting, v in every if setting.get(axis) == value]
    if here:
      flat = np.concatenate(here)
      found.append((value, statistics.student_interval(flat), flat))
  return found


def gain_grid(study: StudyResults, arm: str, axes: Sequence[str]) -> np.ndarray:
  """Mean gain of an arm by the values of axes, an array axis each.

  On one scale over tasks; NaN where the study has no such cell.
  """
  every = scaled_gains(study, arm)
  means = np.full([len(study.axes[axis]) for axis in axes], np.nan)
  for at in np.ndindex(means.shape):
    wanted = {a: study.axes[a][i] for a, i in zip(axes, at, strict=True)}
    here = [v for setting, v in every if wanted.items() <= setting.items()]
    if here:
      means[at] = np.concatenate(here).mean()
  return means


def measured_gains(
  study: StudyResults, arm: str
) -> dict[str, list[tuple[float, float]]]:
  """(diagnostic of the control at the fork, gain of the arm) by diagnostic.

  A pair for each seed of each run that has both arms.
  """
  pairs: dict[str, list[tuple[float, float]]] = {}
  for in_cell in cells(study).values():
    treated = {s.run: s for s in in_cell.get(arm, ())}
    for base in in_cell.get(studies.CONTROL, ()):
      if base.run not in treated:
        continue
      other = treated[base.run]
      after = dict(zip(other.seeds, other.scores, strict=True))
      before = dict(zip(base.seeds, base.scores, strict=True))
      for name in base.record.table.metrics:
        if not name.startswith('plasticity/'):
          continue
        series = base.measured(name)
        for seed, value in zip(series.seeds, series.values[:, 0], strict=True):
          if seed in before and seed in after and math.isfinite(value):
            gain = float(after[seed] - before[seed])
            pairs.setdefault(name, []).append((float(value), gain))
  return pairs


def as_scores(study: StudyResults) -> list[scoring.Score]:
  """For `summary.csv`: settings are part of the arm's name."""
  found = []
  for s in study.samples:
    where = studies.describe(s.setting, study.axes)
    arm = f'{s.arm}, {where}' if where else s.arm
    found += [
      scoring.Score(s.algorithm, arm, s.task, str(seed), float(score))
      for seed, score in zip(s.seeds, s.scores, strict=True)
    ]
  return found
