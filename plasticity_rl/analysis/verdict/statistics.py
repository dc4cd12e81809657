"""Aggregates, intervals and tests. The unit is the seed throughout.

Everything is deterministic: what resamples takes its numpy seed explicitly.
"""

import bisect
import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy import special
from scipy import stats

from plasticity_rl.analysis.verdict import typical_values

CONFIDENCE = 0.95
EXACT_UP_TO = typical_values.EXACT_UP_TO  # Seeds, of the sign-flip test.
STUDENT_BELOW = 6  # Seeds; the bootstrap has too few distinct resamples.
ROUNDING = 1e-9  # Of the largest difference: what no difference is known to.


class Interval(NamedTuple):
  """An estimate and the bounds of its interval; NaN where there is none."""

  estimate: float
  low: float
  high: float


def iqm(scores: np.ndarray, axis: int | None = None) -> np.ndarray:
  """Interquartile mean: the mean of the middle half.

  With x sorted and k = floor(n / 4), `sum(x[k:n-k]) / (n - 2 k)`: whole scores
  are cut, none is weighted, as in scipy and rliable (Agarwal et al. 2021).

  Args:
    scores: run x task scores; pooled over all axes when `axis` is None.
    axis: the axis to average over.

  Returns:
    The mean of what is left, without that axis.
  """
  return stats.trim_mean(scores, 0.25, axis=axis)


def weighted_iqm(scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
  """Interquartile mean of weighted scores, over the last axis.

  The scores are sorted, and the mean is over the weight between the quartiles,
  of which a score may have a part:

      sum_i x_(i) m_i / sum_i m_i,  m_i = |(W_(i-1), W_i) & (1/4, 3/4)|

  with W the cumulative share of the weights.

  Args:
    scores: `[..., n]`.
    weights: of each score, `[n]`, positive.

  Returns:
    The means, `[...]`.
  """
  order = np.argsort(scores, axis=-1)
  shares = np.cumsum(weights[order] / np.sum(weights), axis=-1)
  inside = np.clip(shares, 0.25, 0.75)
  mass = np.diff(inside, axis=-1, prepend=0.25)
  ordered = np.take_along_axis(scores, order, axis=-1)
  return (ordered * mass).sum(-1) / mass.sum(-1)


def _iqm_of(tasks: Sequence[np.ndarray]) -> Callable[[np.ndarray], np.ndarray]:
  """The IQM in which each task counts the same, for their scores in a row."""
  counts = [len(t) for t in tasks]
  if len(set(counts)) == 1:
    return functools.partial(iqm, axis=-1)
  weights = np.concatenate([np.full(n, 1 / n) for n in counts])
  return functools.partial(weighted_iqm, weights=weights)


def stratified_bootstrap(
  scores_by_task: Sequence[np.ndarray],
  statistic: Callable[[np.ndarray], np.ndarray] | None = None,
  *,
  confidence: float = CONFIDENCE,
  resamples: int = 10_000,
  seed: int = 0,
) -> Interval:
  """Percentile interval with runs resampled within each task.

  The tasks are fixed; what varies is which runs one happened to get. Given one
  "task" with everything in it, this is the plain bootstrap of the pool. A task
  of a single run shows nothing of how runs vary: then there is no interval.

  Args:
    scores_by_task: the scores `[runs]` of each task; tasks may have different
      numbers of runs.
    statistic: `[B, all runs] -> [B]`. By default the IQM; if tasks have
      different numbers of runs, the `weighted_iqm` in which each task counts
      the same.
    confidence: of the interval.
    resamples: how many.
    seed: of numpy's generator.

  Returns:
    The statistic of the scores themselves, and the percentiles; NaN for these
    if a task has a single run.
  """
  tasks = [np.asarray(s, float).ravel() for s in scores_by_task]
  statistic = statistic or _iqm_of(tasks)
  if min(map(len, tasks)) < 2:
    point = statistic(np.concatenate(tasks)[None])[0]
    return Interval(float(point), math.nan, math.nan)
  rng = np.random.default_rng(seed)
  total = sum(len(t) for t in tasks)
  block = max(1, 2_000_000 // total)  # Keeps memory at tens of megabytes.
  values = []
  for start in range(0, resamples, block):
    size = min(block, resamples - start)
    drawn = [t[rng.integers(len(t), size=(size, len(t)))] for t in tasks]
    values.append(statistic(np.concatenate(drawn, axis=1)))
  tail = (1 - confidence) / 2
  low, high = np.quantile(np.concatenate(values), [tail, 1 - tail])
  point = statistic(np.concatenate(tasks)[None])[0]
  return Interval(float(point), float(low), float(high))


def student_interval(
  values: np.ndarray, confidence: float = CONFIDENCE
) -> Interval:
  """Mean and Student's t interval over the first axis, `mean +- t s/sqrt(n)`.

  Args:
    values: `[n]`; NaN is not expected.
    confidence: of the interval.
  """
  values = np.asarray(values, float)
  n, mean = len(values), float(np.mean(values))
  if n < 2:
    return Interval(mean, math.nan, math.nan)
  half = special.stdtrit(n - 1, (1 + confidence) / 2)
  half *= float(np.std(values, ddof=1)) / math.sqrt(n)
  return Interval(mean, mean - half, mean + half)


def ties(differences: np.ndarray) -> bool:
  """Whether differences `[n]` are all the same, up to rounding."""
  d = np.asarray(differences, float)
  return bool(np.ptp(d) <= ROUNDING * np.max(np.abs(d)))


def paired_difference(
  differences: np.ndarray, *, resamples: int = typical_values.RESAMPLES
) -> Interval:
  """Interval of a mean paired difference over seeds, at 95 %.

  From 6 seeds on the wider, at each end, of two (see `typical_values`): the
  sign-flip test inverted, which is exact for symmetric differences, and the
  studentised bootstrap, which allows for skew. It leaves zero exactly if
  `sign_flip_test` and `bootstrap_test` both give p < 0.05, and never lies
  farther from the mean than 4 times what a bootstrap's mean can. Below 6
  seeds, where neither can be that sure, it is Student's.

  How often it misses, by distribution and number of seeds, beside other rules:
  `benchmarks/verdict_rules.py`, `results/verdict_rules`.

  Args:
    differences: one a seed, `[n]`.
    resamples: of the bootstrap.

  Returns:
    The mean and its bounds; these are NaN for a single seed.
  """
  d = np.asarray(differences, float)
  mean = float(np.mean(d))
  if len(d) < STUDENT_BELOW:
    return student_interval(d)
  if ties(d):
    return Interval(mean, mean, mean)
  found = [
    typical_values.bounds(points, CONFIDENCE)
    for points in (
      typical_values.subset_means(d),
      typical_values.studentised(d, resamples=resamples),
    )
  ]
  return Interval(
    mean, float(min(low for low, _ in found)), float(max(up for _, up in found))
  )


def sign_flip_test(
  differences: np.ndarray, *, pairs: int = typical_values.PAIRS
) -> float:
  """Two-sided sign-flip (paired permutation) test of a zero centre.

  If the intervention does nothing, each paired difference is as likely to have
  the other sign, so p is the share of the 2^n sign vectors s with
  `|sum s_i d_i| >= |sum d_i|`: exact up to n = 16, and beyond that
  `(1 + hits) / (1 + pairs)` over random sign vectors. The smallest p that n
  seeds can give is `2^(1-n)`: below 6 seeds never under 0.05. The sign vectors
  are the subsets that bound `paired_difference`.

  Args:
    differences: one a seed, `[n]`.
    pairs: random sign vectors and their negatives, above 16 seeds only.
  """
  return float(
    typical_values.p_value(
      typical_values.subset_means(np.asarray(differences, float), pairs=pairs)
    )
  )


def bootstrap_test(
  differences: np.ndarray, *, resamples: int = typical_values.RESAMPLES
) -> float:
  """Two-sided p of a zero mean by the studentised bootstrap.

  The share of points `m - e t*` beyond zero, doubled. It is for the bounds of
  `paired_difference` what the sign-flip test is.

  Args:
    differences: one a seed, `[n]`.
    resamples: of the bootstrap.

  Returns:
    p; NaN below 6 seeds, where resamples are too few.
  """
  d = np.asarray(differences, float)
  if len(d) < STUDENT_BELOW:
    return math.nan
  points = typical_values.studentised(d, resamples=resamples)
  return float(typical_values.p_value(points))


def smallest_p(n: int) -> float:
  """The smallest p the two-sided sign-flip test can give with n seeds."""
  return 2.0 ** (1 - n)


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
  """Holm's step-down adjustment (Holm 1979): controls the family-wise error.

  With p sorted, `adjusted_(i) = max over j <= i of min(1, (m - j + 1) p_(j))`.
  """
  adjusted, running = {}, 0.0
  ordered = sorted(p_values, key=lambda name: p_values[name])
  for i, name in enumerate(ordered):
    running = max(running, min(1.0, (len(ordered) - i) * p_values[name]))
    adjusted[name] = running
  return {name: adjusted[name] for name in p_values}


def seeds_to_decide(
  differences: np.ndarray,
  margin: float,
  *,
  spread: float | None = None,
  power: float = 0.8,
  confidence: float = CONFIDENCE,
  at_most: int = 10_000,
) -> int | None:
  """How many seeds would decide, were the mean and spread as they look now.

  Either the interval leaves zero or it leaves the margin, whichever is
  farther from the mean m: `gap = max(|m|, margin - m)`. The answer is the
  smallest n, not below 6 (where the sign-flip test begins to decide), with

    n >= ((t_(1 - a/2, n-1) + t_(power, n-1)) s / gap)^2

  It is as uncertain as m and s are; `largest_spread` gives another s.

  Args:
    differences: one a seed, `[n]`, at least two.
    margin: the smallest gain that matters, in units of the metric.
    spread: s; by default the standard deviation of the differences.
    power: the chance of a decision at that number of seeds.
    confidence: of the interval.
    at_most: give up beyond.

  Returns:
    The number of seeds in total, more than there are; None if unknown.
  """
  d = np.asarray(differences, float)
  if len(d) < 2:
    return None
  mean = float(np.mean(d))
  s = float(np.std(d, ddof=1)) if spread is None else spread
  gap = max(abs(mean), margin - mean)
  if gap <= 0:
    return None

  def enough(n: int) -> bool:
    t = special.stdtrit(n - 1, [(1 + confidence) / 2, power]).sum()
    return n >= (t * s / gap) ** 2

  # More seeds are never worse, so the first that is enough can be bisected.
  tried = range(max(len(d) + 1, STUDENT_BELOW), at_most + 1)
  at = bisect.bisect_left(tried, True, key=enough)
  return tried[at] if at < len(tried) else None


def largest_spread(differences: np.ndarray, confidence: float = 0.8) -> float:
  """Upper bound of the standard deviation of normal differences.

  `s sqrt((n-1) / chi2_(1 - confidence, n-1))`.

  Args:
    differences: one a seed, `[n]`, at least two.
    confidence: with which the deviation is below.
  """
  d = np.asarray(differences, float)
  quantile = special.chdtri(len(d) - 1, confidence)
  return float(np.std(d, ddof=1)) * math.sqrt((len(d) - 1) / quantile)


def share_unseen(n: int, confidence: float = CONFIDENCE) -> float:
  """The share of seeds that may do what none of n did: `1 - a^(1/n)`."""
  return 1 - (1 - confidence) ** (1 / n)
