"""Points between which a true mean falls, any gap as likely as any other.

Two kinds: means of subsets, which are exact where differences are symmetric,
and those of the studentised bootstrap, which allow for skew. The k-th from
either end bound an interval; how many lie beyond zero gives its p, so that
interval and p cannot disagree.
"""

import functools
import itertools
import math
from collections.abc import Iterator

import numpy as np

EXACT_UP_TO = 16  # Differences; 2^16 - 1 subsets.
PAIRS = 2 ** (EXACT_UP_TO - 1) - 1  # Random ones beyond: as many as there.
RESAMPLES = 9_999
# A resample of ties has no spread of its own: it is taken to have this share
# of the sample's.
FLOOR = 0.25
_ROUNDING = 1e-9  # Of the sum of magnitudes; a sum below is zero.
_BLOCK = 2_000_000  # Numbers at a time: tens of megabytes.


def subset_means(d: np.ndarray, *, pairs: int = PAIRS) -> np.ndarray:
  """Means of subsets of differences: the sign-flip test, inverted.

  To flip the signs of all but a subset leaves a sum as extreme as the
  observed one exactly if the subset's mean is on the other side of zero. So
  the sign-flip test rejects a centre mu with fewer than k means beyond it
  (Hartigan, "Using subsample values as typical values", 1969).

  Args:
    d: differences `[..., n]`.
    pairs: beyond `EXACT_UP_TO` differences, of how many random subsets the
      means are taken, each with its complement.

  Returns:
    Means of all non-empty subsets `[..., 2^n - 1]`, beyond `EXACT_UP_TO` of
    `pairs` and their complements, and of the whole `[..., 2 pairs + 1]`. A
    mean that is zero up to rounding is zero.
  """
  d = np.asarray(d, float)
  n = d.shape[-1]
  magnitudes = np.abs(d)
  found = [_mean_of(np.ones((1, n)), d, magnitudes)]
  for members in _subsets(n, pairs):
    found += [_mean_of(half, d, magnitudes) for half in (members, 1 - members)]
  return np.concatenate(found, axis=-1)


def _mean_of(
  members: np.ndarray, d: np.ndarray, magnitudes: np.ndarray
) -> np.ndarray:
  """Means over subsets, of which `members` `[K, n]` is 1 for those inside."""
  sums = d @ members.T
  sums[np.abs(sums) <= _ROUNDING * (magnitudes @ members.T)] = 0.0
  return sums / members.sum(axis=-1)


def _subsets(n: int, pairs: int) -> Iterator[np.ndarray]:
  """Subsets `[K, n]`, one of each pair of complements, none empty or whole."""
  if n <= EXACT_UP_TO:
    if n > 1:
      yield _half_of_subsets(n)
    return
  rng = np.random.default_rng(0)
  block = max(1, _BLOCK // n)
  for start in range(0, pairs, block):
    members = rng.integers(2, size=(min(block, pairs - start), n))
    sizes = members.sum(axis=-1)
    # One in 2^(n - 1) is empty or whole, which is no pair of subsets.
    members[(sizes == 0) | (sizes == n), 0] ^= 1
    yield members.astype(float)


@functools.lru_cache(maxsize=32)
def _half_of_subsets(n: int) -> np.ndarray:
  """The subsets that hold the first of n, but for the whole one."""
  rest = itertools.product((1.0, 0.0), repeat=n - 1)
  return np.array([(1.0, *others) for others in rest])[1:]


def studentised(
  d: np.ndarray, *, resamples: int = RESAMPLES, floor: float = FLOOR
) -> np.ndarray:
  """Points of the studentised bootstrap, `m - e t*`.

  With mean m and standard error e of the differences, and m*, e* those of a
  resample, `t* = (m* - m) / max(e*, floor e)` (Efron and Tibshirani 1993,
  12.5). The floor is for resamples that tie: e* is zero there or nearly so,
  and t* would be of any size. No point is farther from m than 4 times what
  m* can be.

  Args:
    d: differences `[..., n]`.
    resamples: how many.
    floor: the least standard error of a resample, as a share of e.

  Returns:
    The points `[..., resamples]`. One that is zero up to rounding is zero.
  """
  d = np.asarray(d, float)
  n = d.shape[-1]
  mean = d.mean(axis=-1, keepdims=True)
  centred = d - mean
  error = np.sqrt((centred**2).sum(axis=-1, keepdims=True) / (n * (n - 1)))
  counts = _resampling_counts(n, resamples)
  means = centred @ counts.T / n
  spread = np.maximum(centred**2 @ counts.T / n - means**2, 0.0)
  errors = np.maximum(np.sqrt(spread / (n - 1)), floor * error)
  # Without any spread every mean is the mean.
  ratio = np.divide(error, errors, where=errors > 0, out=np.ones_like(errors))
  points = mean - means * ratio
  magnitude = np.abs(d).mean(axis=-1, keepdims=True)
  points[np.abs(points) <= _ROUNDING * magnitude] = 0.0
  return points


@functools.lru_cache(maxsize=32)
def _resampling_counts(n: int, resamples: int) -> np.ndarray:
  """How often each of n values is drawn in each resample, `[B, n]`."""
  rng = np.random.default_rng(0)
  return rng.multinomial(n, np.full(n, 1 / n), size=resamples).astype(float)


def bounds(
  points: np.ndarray, confidence: float
) -> tuple[np.ndarray, np.ndarray]:
  """The k-th point from either end, `k = ceil(a (1 + N) / 2) - 1`.

  Of N = 2^n - 1 subset means, those are the ends of the centres that the
  two-sided sign-flip test does not reject at `a = 1 - confidence`.

  Args:
    points: `[..., N]`.
    confidence: of the interval.

  Returns:
    Lower and upper bounds `[...]`; infinite if N is too small for any.
  """
  count = points.shape[-1]
  # Less a rounding error of the product, which must not be taken for one more.
  k = math.ceil((1 - confidence) * (1 + count) / 2 - 1e-9) - 1
  if k < 1:
    infinite = np.full(points.shape[:-1], math.inf)
    return -infinite, infinite
  ordered = np.partition(points, (k - 1, count - k), axis=-1)
  return ordered[..., k - 1], ordered[..., count - k]


def p_value(points: np.ndarray) -> np.ndarray:
  """Two-sided p of a true mean of zero, `[...]`, for points `[..., N]`.

  `(1 + hits) / ((1 + N) / 2)`, at most 1, with hits the points at or beyond
  zero on the side that has fewer.
  """
  hits = np.minimum((points <= 0).sum(axis=-1), (points >= 0).sum(axis=-1))
  return np.minimum(1.0, 2 * (1 + hits) / (1 + points.shape[-1]))
