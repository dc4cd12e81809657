import itertools
import math

import hypothesis
import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import strategies as st
from scipy import stats

from plasticity_rl.analysis.verdict import statistics
from plasticity_rl.analysis.verdict import typical_values

_finite = st.floats(-1e6, 1e6, allow_nan=False)


@hypothesis.given(hnp.arrays(float, st.integers(1, 60), elements=_finite))
@hypothesis.settings(deadline=None)
def test_iqm_is_the_mean_of_the_middle_half(scores):
  ordered = sorted(scores)
  cut = len(ordered) // 4  # n * 0.25 rounded down, from each end.
  middle = ordered[cut : len(ordered) - cut]
  expected = math.fsum(middle) / len(middle)
  np.testing.assert_allclose(
    statistics.iqm(scores), expected, rtol=1e-9, atol=1e-6
  )


@pytest.mark.parametrize('n', [1, 3, 5, 6, 7, 8, 10, 190])
def test_iqm_is_rliables_at_every_length(n):
  metrics = pytest.importorskip(
    'rliable.metrics', reason='rliable is not installed'
  )
  scores = np.random.default_rng(n).normal(size=(n, 3))
  assert statistics.iqm(scores) == metrics.aggregate_iqm(scores)


def test_iqm_by_hand():
  assert statistics.iqm(np.array([100.0, 1, 2, 3, -50])) == 2.0
  np.testing.assert_array_equal(
    statistics.iqm(np.array([[0.0, 4, 6, 99], [1, 1, 3, 3]]), axis=1), [5, 2]
  )


def test_stratified_bootstrap_of_a_mean_has_the_known_width():
  rng = np.random.default_rng(0)
  tasks = [rng.normal(m, 1.0, size=n) for m, n in ((0, 40), (100, 25))]
  interval = statistics.stratified_bootstrap(
    tasks, lambda x: np.mean(x, axis=-1), resamples=20_000, seed=1
  )
  # Var of the pooled mean with the tasks fixed: sum n_t var_t / N^2.
  pooled = np.concatenate(tasks)
  error = math.sqrt(sum(len(t) * np.var(t) for t in tasks)) / len(pooled)
  assert interval.estimate == pytest.approx(np.mean(pooled))
  assert interval.low == pytest.approx(
    interval.estimate - 1.96 * error, abs=0.05 * error
  )
  assert interval.high == pytest.approx(
    interval.estimate + 1.96 * error, abs=0.05 * error
  )


def test_stratified_bootstrap_agrees_with_rliable():
  library = pytest.importorskip(
    'rliable.library', reason='rliable is not installed'
  )
  scores = np.random.default_rng(5).lognormal(size=(10, 6))
  ours = statistics.stratified_bootstrap(list(scores.T))
  np.random.seed(0)  # rliable resamples by the global generator.
  points, intervals = library.get_interval_estimates(
    {'x': scores}, lambda x: np.array([statistics.iqm(x)]), reps=1000
  )
  low, high = intervals['x'][:, 0]
  width = high - low
  assert ours.estimate == pytest.approx(points['x'][0])
  assert ours.low == pytest.approx(low, abs=0.1 * width)
  assert ours.high == pytest.approx(high, abs=0.1 * width)


def test_bootstraps_are_deterministic_and_follow_the_seed():
  tasks = [np.arange(10.0), np.arange(7.0) ** 2]
  one = statistics.stratified_bootstrap(tasks, seed=3)
  assert one == statistics.stratified_bootstrap(tasks, seed=3)
  assert one != statistics.stratified_bootstrap(tasks, seed=4)
  d = np.random.default_rng(0).normal(size=10)
  assert statistics.paired_difference(d) == statistics.paired_difference(d)


def test_student_interval_by_scipy():
  x = np.array([0.3, -0.1, 0.7, 0.2])
  expected = stats.ttest_1samp(x, 0).confidence_interval(0.95)
  np.testing.assert_allclose(statistics.student_interval(x)[1:], expected)
  assert math.isnan(statistics.student_interval(x[:1]).low)


@pytest.mark.parametrize('n', [2, 3, 5])
def test_few_seeds_get_students_interval(n):
  x = np.random.default_rng(n).normal(size=n)
  assert statistics.paired_difference(x) == statistics.student_interval(x)


def test_ties_bound_an_interval_by_hand():
  # Ten seeds gain .1 and one loses .03. Of the 2047 subsets, 51 have means up
  # to that of {-.03, .1, .1}; the bootstrap reaches further down.
  interval = statistics.paired_difference(np.array([0.1] * 10 + [-0.03]))
  assert interval.low == pytest.approx(0.0409, abs=1e-4)
  assert interval.high == pytest.approx(0.1034, abs=1e-4)


_SHAPES = st.sampled_from(('plain', 'ties', 'constant', 'outlier', 'tiny'))


@st.composite
def _differences(draw, at_least=2, at_most=40):
  """Differences that tie, or all but one or two, at any scale."""
  n = draw(st.integers(at_least, at_most))
  unit = st.floats(-1, 1, allow_subnormal=False)
  shape = draw(_SHAPES)
  if shape == 'plain':
    d = draw(hnp.arrays(float, n, elements=unit))
  elif shape == 'constant':
    d = np.full(n, draw(unit))
  elif shape == 'ties':
    few = draw(st.lists(unit, min_size=2, max_size=3))
    d = draw(hnp.arrays(float, n, elements=st.sampled_from(few)))
  elif shape == 'outlier':
    d = np.full(n, draw(unit))
    d[0] = draw(st.sampled_from((-1e8, -3.0, 0.0, 1e-8, 1e8)))
  else:  # Alike but for rounding.
    d = draw(unit) + 1e-16 * draw(hnp.arrays(float, n, elements=unit))
  return d * 10.0 ** draw(st.integers(-8, 8))


@hypothesis.given(_differences())
@hypothesis.settings(deadline=None, max_examples=150)
def test_an_interval_lies_within_what_a_bootstrap_can_give(d):
  interval = statistics.paired_difference(d)
  mean, low, high = interval
  assert np.isfinite(interval).all()
  slack = 1e-9 * np.abs(d).max()
  assert low - slack <= mean <= high + slack
  if len(d) < 6:  # Student's.
    reach = 12.71 * np.std(d, ddof=1) / math.sqrt(len(d)) + slack
    assert low >= mean - reach and high <= mean + reach
    return
  # A resample's mean is between the least and the largest difference, and is
  # weighted by at most the inverse of the floor.
  assert low >= mean - 4 * (d.max() - mean) - slack or low >= d.min() - slack
  assert high <= mean + 4 * (mean - d.min()) + slack or high <= d.max() + slack


@hypothesis.given(_differences(at_least=6))
@hypothesis.settings(deadline=None, max_examples=150)
def test_an_interval_leaves_zero_exactly_if_both_tests_do(d):
  _, low, high = statistics.paired_difference(d)
  sign_flip = statistics.sign_flip_test(d)
  bootstrap = statistics.bootstrap_test(d)
  assert (low > 0 or high < 0) == (max(sign_flip, bootstrap) < 0.05)


@hypothesis.given(_differences(), st.integers(-40, 40))
@hypothesis.settings(deadline=None, max_examples=60)
def test_an_interval_scales_and_its_p_does_not(d, power):
  scaled = d * 2.0**power
  np.testing.assert_allclose(
    statistics.paired_difference(scaled),
    np.array(statistics.paired_difference(d)) * 2.0**power,
    rtol=1e-9,
    atol=1e-12 * np.abs(scaled).max(),
  )
  assert statistics.sign_flip_test(scaled) == statistics.sign_flip_test(d)


def test_an_interval_is_the_wider_of_two_at_each_end():
  d = np.random.default_rng(4).lognormal(size=12) - 1
  found = np.array(
    [
      typical_values.bounds(points, 0.95)
      for points in (
        typical_values.subset_means(d),
        typical_values.studentised(d),
      )
    ]
  )
  _, low, high = statistics.paired_difference(d)
  assert (low, high) == (found[:, 0].min(), found[:, 1].max())
  # Skewed upwards: the one end is the bootstrap's, the other the subsets'.
  assert low == found[0, 0] and high == found[1, 1]


def test_the_bootstrap_says_nothing_of_few_seeds():
  assert math.isnan(statistics.bootstrap_test(np.arange(5.0)))
  assert statistics.bootstrap_test(np.zeros(6)) == 1.0
  assert statistics.bootstrap_test(np.full(6, 0.1)) < 0.001


def test_ties_are_up_to_rounding():
  assert statistics.ties(np.array([0.3, 0.1 + 0.2]))
  assert statistics.ties(np.zeros(3))
  assert not statistics.ties(np.array([0.0, 1e-8]))
  assert not statistics.ties(np.array([1.0, 1.0, 1.001]))


@pytest.mark.parametrize('shift', [0.0, 1e6, -3.0])
def test_paired_interval_moves_and_scales_with_the_data(shift):
  x = np.random.default_rng(0).normal(size=10)
  plain = np.array(statistics.paired_difference(x))
  moved = np.array(statistics.paired_difference(2 * x + shift))
  np.testing.assert_allclose(moved, 2 * plain + shift, atol=1e-6)
  mirrored = statistics.paired_difference(-x)
  np.testing.assert_allclose(mirrored.estimate, -plain[0])


def test_paired_interval_of_ties_is_finite():
  assert statistics.paired_difference(np.full(8, 0.25)) == (0.25,) * 3
  x = np.array([0.0] * 8 + [1.0, 1.0])
  assert np.isfinite(statistics.paired_difference(x)).all()


@pytest.mark.parametrize(
  'draw, at_least',
  [
    (lambda rng, size: rng.normal(size=size), 0.935),
    (lambda rng, size: rng.exponential(size=size) - 1, 0.925),
  ],
  ids=['normal', 'exponential'],
)
def test_coverage_of_the_paired_interval_at_ten_seeds(draw, at_least):
  # Measured on 2,000: .954 and .947 (`results/verdict_rules`).
  samples = draw(np.random.default_rng(11), (1500, 10))
  found = [statistics.paired_difference(x, resamples=1999) for x in samples]
  assert np.mean([i.low <= 0 <= i.high for i in found]) >= at_least


def test_sign_flip_by_hand():
  # Of 8 sign vectors, |sum| >= 6 for +++ and --- only.
  assert statistics.sign_flip_test(np.array([1.0, 2, 3])) == 0.25
  assert statistics.sign_flip_test(np.zeros(4)) == 1.0
  assert statistics.sign_flip_test(np.array([5.0])) == 1.0


@pytest.mark.parametrize('n', [2, 6, 9, 12])
def test_sign_flip_by_scipy(n):
  d = np.random.default_rng(n).normal(0.4, 1, size=n)
  expected = stats.permutation_test(
    (d,), np.sum, permutation_type='samples', n_resamples=np.inf
  ).pvalue
  assert statistics.sign_flip_test(d) == pytest.approx(expected, abs=1e-12)


@hypothesis.given(
  hnp.arrays(float, st.integers(1, 8), elements=st.integers(-3, 3))
)
@hypothesis.settings(deadline=None)
def test_sign_flip_counts_ties(d):
  d = d / 10.0  # Not exact in binary: sums of ties differ by rounding.
  signs = itertools.product((1, -1), repeat=len(d))
  tenths = np.rint(d * 10).astype(int)
  sums = [abs(int(np.dot(s, tenths))) for s in signs]
  expected = np.mean([s >= abs(int(tenths.sum())) for s in sums])
  assert statistics.sign_flip_test(d) == pytest.approx(expected)


def test_sign_flip_above_sixteen_seeds_is_simulated():
  d = np.random.default_rng(0).normal(0.45, 1, size=20)
  p = statistics.sign_flip_test(d)
  assert p == statistics.sign_flip_test(d)
  # The permutation distribution of the sum is close to normal here.
  z = abs(d.sum()) / math.sqrt((d**2).sum())
  assert p == pytest.approx(2 * stats.norm.sf(z), rel=0.2)
  assert statistics.sign_flip_test(np.ones(20), pairs=999) == 1 / 1000


def test_holm_by_hand():
  adjusted = statistics.holm({'a': 0.01, 'b': 0.04, 'c': 0.03, 'd': 0.5})
  assert adjusted == pytest.approx({'a': 0.04, 'c': 0.09, 'b': 0.09, 'd': 0.5})
  assert list(adjusted) == ['a', 'b', 'c', 'd']
  assert statistics.holm({}) == {}
  assert statistics.holm({'a': 0.9, 'b': 0.8}) == {'a': 1.0, 'b': 1.0}


def test_seeds_to_decide():
  rng = np.random.default_rng(0)
  d = stats.zscore(rng.normal(size=10), ddof=1)  # Mean 0, deviation 1.
  # Textbook: a two-sided t test of half a deviation at power .8 takes 34.
  assert statistics.seeds_to_decide(d + 0.5, margin=0.1) == 34
  # With no effect, the margin is what has to be excluded.
  assert statistics.seeds_to_decide(d, margin=0.5) == 34
  assert statistics.seeds_to_decide(d, margin=5.0) == 11  # More than there are.
  assert statistics.seeds_to_decide(d[:1], margin=0.5) is None
  assert statistics.seeds_to_decide(d, margin=1e-6) is None
  # Twice the deviation takes about four times the seeds.
  assert statistics.seeds_to_decide(d + 0.5, margin=0.1, spread=2.0) == 128


def test_the_largest_spread_is_above_the_true_one_in_four_of_five_draws():
  rng = np.random.default_rng(1)
  found = [statistics.largest_spread(rng.normal(size=6)) for _ in range(4000)]
  assert np.mean(np.array(found) > 1) == pytest.approx(0.8, abs=0.02)


def test_the_share_that_no_seed_showed():
  assert statistics.share_unseen(10) == pytest.approx(0.2589, abs=1e-4)
  assert statistics.share_unseen(59) < 0.05 < statistics.share_unseen(58)
