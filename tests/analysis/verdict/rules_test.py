import json

import hypothesis
import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import strategies as st

from plasticity_rl.analysis.verdict import rules
from plasticity_rl.analysis.verdict import statistics
from plasticity_rl.errors import UserError


def _assess(difference, **changes):
  d = np.asarray(difference, float)
  settings = {'margin': 0.2} | changes
  return rules.assess(np.zeros(len(d)), {'injection': d}, **settings)


def _noise(n=10, seed=0, scale=0.1):
  x = np.random.default_rng(seed).normal(size=n)
  return scale * (x - x.mean()) / x.std(ddof=1)


def test_losing_plasticity():
  v = _assess(_noise() + 0.5)
  assert v.verdict == 'losing plasticity'
  assert v.low > 0.4 and v.p == pytest.approx(2**-9)
  assert 'The agent is losing plasticity' in v.statement
  assert '+0.5' in v.line and '10 seeds' in v.line and 'p = 0.002' in v.line
  assert v.seeds_needed is None


def test_injection_hurts():
  v = _assess(_noise() - 0.5)
  assert v.verdict == 'injection hurts'
  assert v.high < 0


def test_no_evidence_where_the_margin_is_excluded():
  v = _assess(_noise())
  assert v.verdict == 'no evidence of plasticity loss'
  assert v.high < v.margin == 0.2


def test_undecided_says_how_many_seeds_would_decide():
  v = _assess(_noise(scale=0.6) + 0.1)
  assert v.verdict == 'undecided'
  assert 10 < v.seeds_needed < v.seeds_needed_high
  count = f'bout {v.seeds_needed} to {v.seeds_needed_high} seeds would decide'
  assert f'A{count}' in v.reason and f'a{count}' in v.line


def test_more_seeds_than_can_be_said():
  v = _assess(_noise(scale=0.6), margin=0.02)
  assert (v.seeds_needed, v.seeds_needed_high) == (7066, None)
  assert 'about 7066 or more seeds would decide' in v.line


def test_an_interval_without_the_sign_flip_test_does_not_decide():
  # Student's interval of five seeds lies far above zero; p cannot follow.
  v = _assess(_noise(5, scale=0.01) + 0.5)
  assert v.verdict == 'undecided' and v.low > 0
  assert v.p == pytest.approx(0.0625)
  assert 'cannot give less than p = 0.0625' in v.reason
  assert v.seeds_needed == v.seeds_needed_high == 6
  assert 'about 6 seeds would decide' in v.line
  assert _assess(_noise(6, scale=0.01) + 0.5).verdict == 'losing plasticity'


@pytest.mark.parametrize('n', [3, 4, 5])
def test_injection_hurts_only_if_the_sign_flip_test_says_so(n):
  # The interval lies far below zero, and with it below the margin.
  v = _assess(_noise(n, scale=0.01) - 0.5)
  assert v.high < 0 and v.p == 2.0 ** (1 - n)
  assert v.verdict == 'no evidence of plasticity loss'
  assert not v.arms[0].hurts
  assert _assess(_noise(6, scale=0.01) - 0.5).verdict == 'injection hurts'


@pytest.mark.parametrize('sign, claim', [(1, 'helps'), (-1, 'hurts')])
def test_a_secondary_arm_is_adjusted_in_both_tests(sign, claim):
  # Either p is under .05 by itself, and over it times four arms.
  d = sign * (_noise(8, scale=0.5) + 0.5)
  alone = rules.assess(np.zeros(8), {'a': d}, margin=0.2).arms[0]
  assert getattr(alone, claim) and 0.0125 < alone.p_larger < 0.05
  arms = {name: d for name in 'abcd'}
  for arm in rules.assess(np.zeros(8), arms, margin=0.2).arms:
    assert not getattr(arm, claim)
    assert arm.p_holm == pytest.approx(4 * arm.p_larger)


def test_the_bootstraps_p_is_adjusted_as_the_sign_flip_tests():
  # Skewed downwards: the bootstrap is the less sure of the two.
  d = np.array([1, 1.1, 0.9, 1, 1.2, 1, 0.8, 1, 1.1, -0.5])
  arms = {name: d for name in 'abc'}
  arm = rules.assess(np.zeros(10), arms, margin=0.2).arms[0]
  assert 3 * arm.p < 0.05 < 3 * arm.p_bootstrap
  assert arm.low > 0 and not arm.helps


@pytest.mark.parametrize('n', [2, 3, 5])
def test_few_seeds_exclude_the_margin_at_99_percent(n):
  d = _noise(n, scale=0.1)
  ninety_five = statistics.student_interval(d).high
  ninety_nine = statistics.student_interval(d, 0.99).high
  between = (ninety_five + ninety_nine) / 2
  v = _assess(d, margin=between)
  assert v.verdict == 'undecided' and v.high < between
  assert 'at 99 %' in v.reason
  beyond = _assess(d, margin=1.01 * ninety_nine).verdict
  expected = 'undecided' if n == 2 else 'no evidence of plasticity loss'
  assert beyond == expected


@pytest.mark.parametrize('gain', [-0.3, 0.1, 0.1 + 1e-13])
def test_few_seeds_that_tie_are_undecided(gain):
  v = _assess([0.1, 0.1, gain] if gain > 0 else [gain] * 4)
  assert v.verdict == 'undecided' and 'all the same' in v.reason


def test_a_gain_that_a_hidden_collapse_would_cancel_is_noted():
  control = np.full(10, 5.0)
  d = _noise(scale=0.1)
  small = rules.assess(control, {'injection': control + d + 1}, margin=0.2)
  assert small.verdict == 'losing plasticity'
  # 26 % at zero lose 5 each, the others gain 1: -0.55.
  assert any('26 % of seeds' in n and '(to 0)' in n for n in small.notes)
  large = rules.assess(control, {'injection': control + d + 3}, margin=0.2)
  assert large.verdict == 'losing plasticity' and not large.notes


def test_a_collapse_is_to_the_worst_score_where_that_is_below_zero():
  control = np.full(10, 0.9)
  arms = {'injection': control + _noise(scale=0.05) + 0.5}
  assert not rules.assess(control, arms, margin=0.2).notes
  arms['head_reset'] = np.r_[np.full(9, 0.9), -1.0]
  notes = rules.assess(control, arms, margin=0.2).notes
  assert any('(to -1.00)' in note for note in notes)


def test_a_sign_flip_test_that_is_sure_alone_is_told():
  v = _assess([0.5, 0.6, 0.4, 0.5, 0.6, 0.5, 0.4, 0.5, 0.6, -0.6])
  assert v.p < 0.05 <= v.arms[0].p_bootstrap and v.low <= 0
  assert any('sign-flip test alone' in note for note in v.notes)


@hypothesis.given(
  hnp.arrays(float, st.integers(1, 12), elements=st.integers(-4, 4)),
  st.sampled_from((1e-8, 0.1, 1.0, 1e8)),
)
@hypothesis.settings(deadline=None, max_examples=200)
def test_a_verdict_never_contradicts_its_numbers(d, scale):
  v = _assess(d * scale, margin=1.5 * scale)
  name = v.verdict
  assert name != 'losing plasticity' or (v.low > 0 and v.p < 0.05)
  assert name != 'injection hurts' or (v.high < 0 and v.p < 0.05)
  if name == 'no evidence of plasticity loss':
    assert v.high < v.margin and not (v.low > 0 and v.p < 0.05)
  if len(d) < 6:
    assert name in ('undecided', 'no evidence of plasticity loss')
  elif d.any() and name == 'undecided':
    assert v.low <= 0 <= v.high and v.high >= v.margin
  if not d.any():
    assert name == 'undecided' and v.seeds_needed is None
  assert name == _assess(d * 2 * scale, margin=3 * scale).verdict


def test_a_gain_below_the_margin_is_noted():
  v = _assess(_noise(scale=0.02) + 0.1)
  assert v.verdict == 'losing plasticity'
  assert 'smaller than the margin' in ' '.join(v.notes)


def test_a_single_seed_is_never_decided():
  v = _assess([3.0])
  assert (v.verdict, v.low, v.high, v.p) == ('undecided', None, None, 1.0)
  assert v.replicates and v.seeds_needed is None
  assert 'for this network only' in v.line


def test_replicates_are_never_decided():
  v = _assess(_noise() + 0.5, replicates=True)
  assert v.verdict == 'undecided' and v.low > 0
  assert 'for this network only' in v.statement and '10 replicates' in v.line
  assert v.seeds_needed is None


def test_a_reset_that_helps_alone_is_not_plasticity():
  d = _noise(scale=0.05)
  arms = {'injection': d, 'head_reset': d[::-1] + 0.5}
  v = rules.assess(np.zeros(10), arms, margin=0.2)
  assert v.verdict == 'no evidence of plasticity loss'
  assert 'not attributable to plasticity' in ' '.join(v.notes)
  arms['injection'] = d + 0.5
  v = rules.assess(np.zeros(10), arms, margin=0.2)
  assert 'not attributable' not in ' '.join(v.notes)


def test_variants_of_injection_are_not_resets():
  arms = {'injection': _noise(), 'late': _noise(seed=1) + 0.5}
  v = rules.assess(
    np.zeros(10), arms, margin=0.2, injections=('injection', 'late')
  )
  assert 'not attributable' not in ' '.join(v.notes)


def test_secondary_arms_are_adjusted_and_the_primary_one_is_not():
  arms = {
    'b': _noise(seed=1) + 0.5,
    'injection': _noise() + 0.5,
    'c': _noise(seed=2) + 0.5,
  }
  v = rules.assess(np.zeros(10), arms, margin=0.2)
  assert [a.arm for a in v.arms] == ['injection', 'b', 'c']
  assert [a.p_holm for a in v.arms] == [None, 2**-8, 2**-8]
  assert '(primary)' in v.table() and 'p (Holm)' in v.table()


def test_without_an_injection_nothing_is_claimed():
  v = rules.assess(np.zeros(8), {'reset': _noise(8) + 1}, margin=0.2)
  assert (v.verdict, v.arm, v.effect) == ('undecided', None, None)
  assert 'No arm was an injection' in v.statement
  assert json.loads(json.dumps(v.to_json(), allow_nan=False))['effect'] is None


@pytest.mark.parametrize('n', [3, 10, 30])
def test_identical_arms_are_undecided(n):
  v = _assess(np.zeros(n))
  assert v.verdict == 'undecided'
  assert 'the score is saturated, or the injection did nothing' in v.reason
  assert v.seeds_needed is None and 'would decide' not in v.line


def test_json_has_what_the_contract_names():
  record = json.loads(json.dumps(_assess(_noise() + 0.5).to_json()))
  named = 'verdict arm effect low high p seeds margin metric arms'.split()
  assert set(named) <= set(record)
  assert record['seeds'] == 10 and record['arm'] == 'injection'
  assert record['arms'][0]['arm'] == 'injection'
  assert len(record['arms'][0]['differences']) == 10


@pytest.mark.parametrize('bad', [np.nan, np.inf, -np.inf])
def test_a_score_that_is_not_finite_names_arm_and_seed(bad):
  scores = np.zeros(4)
  scores[2] = bad
  with pytest.raises(UserError, match=r"arm 'injection', seed 17: .*finite"):
    _assess(scores, seeds=[5, 6, 17, 18])
  with pytest.raises(UserError, match=r"arm 'control', seed 2"):
    rules.assess(scores, {'injection': np.zeros(4)}, margin=0.2)


def test_bad_arguments():
  with pytest.raises(UserError, match='margin'):
    _assess(np.zeros(4), margin=0.0)
  with pytest.raises(UserError, match="'b' has 3 scores for 4 seeds"):
    rules.assess(np.zeros(4), {'b': np.zeros(3)}, margin=1.0)
  with pytest.raises(UserError, match='no arm'):
    rules.assess(np.zeros(4), {}, margin=1.0)


def _rate(name, draw, count=1000):
  """How often a verdict comes out at ten seeds."""
  rng = np.random.default_rng(2026)
  found = [
    rules.assess(*_pair(draw, rng), margin=0.5).verdict for _ in range(count)
  ]
  return np.mean([f == name for f in found])


def _pair(draw, rng):
  control, injection = draw(rng)
  return control, {'injection': injection}


@pytest.mark.slow
@pytest.mark.parametrize(
  'draw, at_most',
  [
    # Equal arms of skewed returns: the null itself, where the sign-flip test
    # is exact.
    (lambda r: r.lognormal(size=(2, 10)), 0.05),
    (lambda r: r.exponential(size=(2, 10)), 0.05),
    # Equal means, but differences skewed downwards, where no test of the
    # mean is exact. Measured: .043 (`results/verdict_rules`).
    (lambda r: (r.exponential(size=10), np.ones(10)), 0.056),
    (lambda r: (np.ones(10), r.exponential(size=10)), 0.05),
  ],
  ids=['log-normal', 'exponential', 'skewed down', 'skewed up'],
)
def test_a_null_seldom_looks_like_plasticity_loss(draw, at_most):
  assert _rate('losing plasticity', draw) <= at_most


def test_power_on_a_real_effect():
  def draw(rng):
    return rng.normal(size=10), rng.normal(size=10) + 2.0

  # Differences of mean 2 and deviation 1.41: a t test has power .98, the
  # stricter rule here .93 (measured on 3,000).
  assert _rate('losing plasticity', draw, 300) > 0.88


def test_equivalence_is_found_and_not_claimed_at_the_margin():
  def small(rng):
    return np.zeros(10), rng.normal(0, 0.3, size=10)

  def at_margin(rng):
    return np.zeros(10), rng.normal(0.5, 0.3, size=10)

  name = 'no evidence of plasticity loss'
  assert _rate(name, small, 300) > 0.9
  assert _rate(name, at_margin, 300) < 0.05
