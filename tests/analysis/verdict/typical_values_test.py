import itertools
import math

import numpy as np
import pytest
from scipy import stats

from plasticity_rl.analysis.verdict import typical_values


def _every_subset_mean(d):
  sizes = range(1, len(d) + 1)
  return sorted(
    np.mean(chosen) for k in sizes for chosen in itertools.combinations(d, k)
  )


@pytest.mark.parametrize('n', [1, 2, 5, 9])
def test_means_of_all_subsets(n):
  d = np.random.default_rng(n).normal(size=n)
  found = typical_values.subset_means(d)
  np.testing.assert_allclose(np.sort(found), _every_subset_mean(d), atol=1e-12)


def test_a_mean_of_zero_is_zero_whatever_rounding_leaves():
  found = typical_values.subset_means(np.array([0.1, 0.2, -0.3]))
  assert 0.1 + 0.2 - 0.3 != 0
  assert np.sum(found == 0) == 1


def test_a_large_difference_does_not_hide_small_ones():
  found = typical_values.subset_means(np.array([1e8, 1e-8, 1e-8]))
  assert np.all(found > 0)


@pytest.mark.parametrize('n', [6, 10])
def test_bounds_are_the_centres_that_the_sign_flip_test_keeps(n):
  d = np.random.default_rng(n).exponential(size=n)
  low, high = typical_values.bounds(typical_values.subset_means(d), 0.95)

  def p(centre):
    return stats.permutation_test(
      (d - centre,),
      np.sum,
      permutation_type='samples',
      n_resamples=np.inf,
    ).pvalue

  step = 1e-6
  assert p(low - step) < 0.05 <= p(low + step)
  assert p(high + step) < 0.05 <= p(high - step)


def test_few_points_bound_nothing():
  points = typical_values.subset_means(np.arange(5.0))
  assert typical_values.bounds(points, 0.95) == (-math.inf, math.inf)
  # Six are the fewest that do, and then by the least and largest difference.
  points = typical_values.subset_means(np.arange(6.0))
  assert typical_values.bounds(points, 0.95) == (0.0, 5.0)


def test_random_subsets_come_with_their_complements():
  d = np.random.default_rng(0).normal(size=20)
  d -= d.mean()
  found = typical_values.subset_means(d, pairs=500)
  assert found.shape == (1001,)
  # Their sums are opposite where the sum of all is zero.
  assert np.sum(found > 0) == np.sum(found < 0) == 500
  again = typical_values.subset_means(d, pairs=500)
  np.testing.assert_array_equal(found, again)


def test_random_subsets_bound_as_all_do(monkeypatch):
  d = np.random.default_rng(3).normal(size=14)
  exact = np.array(typical_values.bounds(typical_values.subset_means(d), 0.95))
  monkeypatch.setattr(typical_values, 'EXACT_UP_TO', 13)
  drawn = np.array(typical_values.bounds(typical_values.subset_means(d), 0.95))
  np.testing.assert_allclose(drawn, exact, atol=0.02 * np.ptp(exact))


def test_the_studentised_bootstrap_by_scipy():
  x = np.random.default_rng(2).normal(size=12)

  def t(sample, axis):
    error = sample.std(axis=axis, ddof=1) / math.sqrt(12)
    return (sample.mean(axis=axis) - x.mean()) / error

  drawn = stats.bootstrap(
    (x,),
    t,
    n_resamples=40_000,
    method='percentile',
    rng=np.random.default_rng(0),
  ).bootstrap_distribution  # pyformat: disable
  error = x.std(ddof=1) / math.sqrt(12)
  expected = x.mean() - error * np.quantile(drawn, [0.975, 0.025])
  found = typical_values.bounds(
    typical_values.studentised(x, resamples=40_000), 0.95
  )
  np.testing.assert_allclose(found, expected, atol=0.1 * error)


def test_the_floor_of_a_resample_without_spread():
  # Of three, all points but those of resamples that tie are t*'s own.
  d = np.array([0.0, 0.0, 3.0])
  found = typical_values.studentised(d)
  error = d.std(ddof=1) / math.sqrt(3)
  # All zero: m* = 0, and e* = 0 is taken for e / 4: m - e (-m) / (e / 4).
  assert found.max() == pytest.approx(1 + 4 * 1)
  assert found.min() == pytest.approx(1 - 4 * 2)
  two_zeros = 1 - (1 - 1) * error
  assert np.any(np.isclose(found, two_zeros))


def test_points_of_many_samples_are_those_of_each():
  d = np.random.default_rng(0).normal(size=(3, 7))
  for points in (typical_values.subset_means, typical_values.studentised):
    each = np.stack([points(row) for row in d])
    np.testing.assert_allclose(points(d), each, atol=1e-12)
    low, high = typical_values.bounds(points(d), 0.9)
    assert low.shape == high.shape == typical_values.p_value(each).shape == (3,)


def test_p_by_hand():
  # Three of 1 + 7 points at or beyond zero: (1 + 3) / 4 of the half.
  points = np.array([-2.0, -1, 0, 1, 2, 3, 4])
  assert typical_values.p_value(points) == 1.0
  assert typical_values.p_value(points + 1.5) == 0.5
  assert typical_values.p_value(points - 4.5) == 0.25
  assert typical_values.p_value(-points + 4.5) == 0.25


@pytest.mark.parametrize('unit', (1.0, 0.1, 0.3, 7.0))
@pytest.mark.parametrize('d', ([1] * 9 + [-1], [1] * 8 + [0] * 2))
def test_a_point_at_zero_is_at_zero_in_any_unit(d, unit):
  """A bound is one of the points: by rounding it would pass zero."""
  points, of_one = (
    typical_values.studentised(u * np.array(d)) for u in (unit, 1.0)
  )
  assert (points == 0).any()
  np.testing.assert_allclose(points, unit * of_one)
  assert typical_values.p_value(points) == typical_values.p_value(of_one)
