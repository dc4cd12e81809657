"""Rank correlations against scipy, by hand, and what their intervals are of."""

import numpy as np
import pytest
from scipy import stats

from plasticity_rl.analysis.verdict import rank_correlation


def noise(*shape, seed=0):
  return np.random.default_rng(seed).normal(size=shape)


def test_spearman_is_scipys_with_ties():
  x = np.round(noise(5, 30), 0)
  y = np.round(x + noise(5, 30, seed=1), 0)
  expected = [
    stats.spearmanr(a, b).statistic for a, b in zip(x, y, strict=True)
  ]
  np.testing.assert_allclose(rank_correlation.spearman(x, y), expected)


def test_spearman_by_hand():
  # Ranks 1, 2.5, 2.5, 4 and 1, 3, 2, 4: centred products 2.25 + 0 + 0 + 2.25
  # over sqrt(4.5 * 5).
  rho = rank_correlation.spearman(
    np.array([0.0, 7, 7, 100]), np.array([-5.0, 2, 1, 3])
  )
  assert rho == pytest.approx(4.5 / np.sqrt(4.5 * 5))


def test_spearman_leaves_out_what_is_missing():
  x, y = noise(12), noise(12, seed=1)
  x[3] = y[7] = np.nan
  kept = np.isfinite(x) & np.isfinite(y)
  assert rank_correlation.spearman(x, y) == pytest.approx(
    stats.spearmanr(x[kept], y[kept]).statistic
  )


@pytest.mark.parametrize(
  'x',
  (np.ones(5), np.full(5, np.nan), np.array([np.nan, np.nan, np.nan, 1, 2.0])),
)  # pyformat: disable
def test_spearman_of_what_ranks_nothing_is_nan(x):
  y = np.array([1.0, 2, 3, 4, np.nan])
  assert np.isnan(rank_correlation.spearman(x, y))
  assert np.isnan(rank_correlation.spearman(y, x))


@pytest.mark.parametrize('sign', (1, -1))
def test_a_monotone_relation_gives_one(sign):
  x = noise(6, 4)
  for statistic in (rank_correlation.pooled, rank_correlation.within):
    found = rank_correlation.interval(statistic, x, sign * np.exp(x))
    np.testing.assert_allclose(found, 3 * [sign])


def test_what_changes_with_time_alone_correlates_pooled_and_not_within():
  time = np.arange(8.0)
  x, y = 10 * time + noise(2000, 8), time + 0.1 * noise(2000, 8, seed=1)
  assert rank_correlation.pooled(x, y) > 0.95
  assert abs(rank_correlation.within(x, y)) < 0.03
  # Without noise there is nothing to rank within a fork.
  exact = np.broadcast_to(time, (5, 8))
  assert np.isnan(rank_correlation.within(exact, y[:5]))
  assert rank_correlation.pooled(exact, exact) == pytest.approx(1)


def test_time_may_hide_what_is_there_within():
  """Simpson's paradox: each fork says +1, the pool less than nothing."""
  level = noise(10, 1)
  time = np.arange(5.0) * 10
  x, y = level + time, level - time
  assert rank_correlation.within(x, y) == pytest.approx(1)
  assert rank_correlation.pooled(x, y) < -0.9


def test_within_is_the_mean_over_the_forks_that_rank():
  x, y = noise(7, 3), noise(7, 3, seed=1)
  x[:, 1] = 4.0
  each = [stats.spearmanr(x[:, j], y[:, j]).statistic for j in (0, 2)]
  assert rank_correlation.within(x, y) == pytest.approx(np.mean(each))
  rho = rank_correlation.by_fork(x, y)
  assert np.isnan(rho[1])
  np.testing.assert_allclose(rho[[0, 2]], each)


def test_intervals_resample_seeds_with_all_of_their_forks():
  """By a loop over the same draws; pairs of a seed go together."""
  x, y = noise(6, 4), noise(6, 4, seed=1)
  drawn = np.random.default_rng(3).integers(6, size=(50, 6))
  for statistic in (rank_correlation.pooled, rank_correlation.within):
    values = [float(statistic(x[list(rows)], y[list(rows)])) for rows in drawn]
    found = rank_correlation.interval(statistic, x, y, resamples=50, seed=3)
    estimate = float(statistic(x, y))
    bias = np.mean(values) - estimate
    assert found.estimate == pytest.approx(estimate)
    np.testing.assert_allclose(
      found[1:], np.quantile(values, [0.025, 0.975]) - bias
    )


def test_forks_of_a_seed_that_repeat_it_add_nothing():
  """Copies of a seed's fork are no further evidence: the unit is the seed."""
  x, y = noise(12, 1), noise(12, 1, seed=1)
  one = rank_correlation.interval(rank_correlation.within, x, y)
  many = rank_correlation.interval(
    rank_correlation.within, np.tile(x, 40), np.tile(y, 40)
  )
  np.testing.assert_allclose(one, many)


def test_bounds_stay_correlations():
  x = noise(5, 3)
  y = x + 0.05 * noise(5, 3, seed=1)
  found = rank_correlation.interval(rank_correlation.within, x, y)
  assert -1 <= found.low <= found.estimate <= found.high <= 1


def test_no_interval_where_most_resamples_rank_nothing():
  x = np.zeros((12, 1))
  x[0] = 1  # Drawn in 65 % of resamples of all seeds, and not to few ...
  y = noise(12, 1)
  found = rank_correlation.interval(rank_correlation.within, x, y)
  assert np.isfinite(found).all()
  y[1:] = np.nan  # ... but never with another to be compared with.
  found = rank_correlation.interval(rank_correlation.within, x, y)
  assert np.isnan(found).all()


def test_intervals_follow_the_seed():
  x, y = noise(6, 2), noise(6, 2, seed=1)

  def interval(seed):
    return rank_correlation.interval(
      rank_correlation.pooled, x, y, resamples=200, seed=seed
    )

  assert interval(0) == interval(0) != interval(1)


@pytest.mark.slow
@pytest.mark.parametrize('rho', (0.0, 0.8))
def test_intervals_cover(rho):
  """Nominal 95 %: at 10 seeds and 8 forks about 90 to 96."""

  def draw(seeds, seed):
    a, b = noise(2, seeds, 8, seed=seed)
    return a, rho * a + np.sqrt(1 - rho**2) * b

  truth = rank_correlation.within(*draw(40_000, 0))
  covered = []
  for i in range(200):
    found = rank_correlation.interval(
      rank_correlation.within, *draw(10, 1 + i), resamples=200, seed=i
    )
    covered.append(found.low <= truth <= found.high)
  assert 0.87 <= np.mean(covered) <= 0.99
