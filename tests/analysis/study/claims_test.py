"""Rules on arrays whose answer is known, and what may not change an answer."""

import dataclasses
import math

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies

from plasticity_rl.analysis.study import claims
from plasticity_rl.analysis.study import study as studies
from plasticity_rl.analysis.study.claims import NOT_SHOWN
from plasticity_rl.analysis.study.claims import OPPOSITE
from plasticity_rl.analysis.study.claims import SHOWN
from plasticity_rl.analysis.study.claims import UNFINISHED
from plasticity_rl.analysis.study.claims import Above
from plasticity_rl.analysis.study.claims import Below
from plasticity_rl.analysis.study.claims import Claim
from plasticity_rl.analysis.study.claims import Within
from plasticity_rl.analysis.study.quantities import Contrast
from plasticity_rl.analysis.study.quantities import Level
from plasticity_rl.analysis.study.quantities import Trend
from plasticity_rl.analysis.verdict import rules
from plasticity_rl.analysis.verdict.statistics import Interval
from plasticity_rl.errors import UserError
from tests.analysis.study import made

GAIN = Contrast('injection')
SPREAD = np.linspace(-0.5, 0.5, 11)


def _study(gain, spread=SPREAD, **facts):
  base = np.arange(len(spread)) ** 2 % 7.0  # Hides what is not paired.
  return made.study(
    made.sample('control', base),
    made.sample('injection', base + gain + spread),
    **facts,
  )


@pytest.mark.parametrize(
  'rule, outcomes',
  (
    # Of a gain of -2, 0, 1 and 2, each about +-.25.
    (Above(GAIN), (OPPOSITE, NOT_SHOWN, SHOWN, SHOWN)),
    (Above(GAIN, 1.5), (OPPOSITE, NOT_SHOWN, NOT_SHOWN, SHOWN)),
    (Above(GAIN, -0.5), (OPPOSITE, SHOWN, SHOWN, SHOWN)),
    (Below(GAIN), (SHOWN, NOT_SHOWN, OPPOSITE, OPPOSITE)),
    (Below(GAIN, -1.5), (SHOWN, NOT_SHOWN, OPPOSITE, OPPOSITE)),
    (Below(GAIN, 1.5), (SHOWN, SHOWN, SHOWN, OPPOSITE)),
    (Within(GAIN, 0.5), (OPPOSITE, SHOWN, OPPOSITE, OPPOSITE)),
    (Within(GAIN, 0.1), (OPPOSITE, NOT_SHOWN, OPPOSITE, OPPOSITE)),
    (Within(GAIN, 1.0), (OPPOSITE, SHOWN, NOT_SHOWN, OPPOSITE)),
    (Within(GAIN, 3.0), (SHOWN, SHOWN, SHOWN, SHOWN)),
  ),
)
def test_outcomes(rule, outcomes):
  found = [claims.find(rule, _study(gain)).outcome for gain in (-2, 0, 1, 2)]
  assert tuple(found) == outcomes


@pytest.mark.parametrize(
  'rule, outcomes',
  (
    # A level of .2, .5 and .8 has no zero: the bound is what it is held to.
    (Above(Level('all'), 0.5), (OPPOSITE, NOT_SHOWN, SHOWN)),
    (Below(Level('all'), 0.5), (SHOWN, NOT_SHOWN, OPPOSITE)),
  ),
)
def test_a_threshold_on_a_level(rule, outcomes):
  found = [
    claims.find(rule, made.study(made.sample('all', level + SPREAD / 5)))
    for level in (0.2, 0.5, 0.8)
  ]
  assert tuple(f.outcome for f in found) == outcomes
  assert found[1].p == 1.0 and max(found[0].p, found[2].p) < 0.01


def test_an_interval_that_touches_a_bound_shows_nothing():
  interval = Interval(1.0, 0.0, 2.0)
  assert Above(GAIN, 0.0).outcome(interval) == NOT_SHOWN
  assert Below(GAIN, 2.0).outcome(interval) == NOT_SHOWN
  assert Within(GAIN, 2.0).outcome(interval) == NOT_SHOWN
  assert Above(GAIN).outcome(Interval(-1.0, -2.0, 0.0)) == NOT_SHOWN


def test_the_interval_is_that_of_the_verdict():
  rng = np.random.default_rng(1)
  spread = rng.normal(size=12)
  found = claims.find(Above(GAIN), _study(0.4, spread))
  verdict = rules.assess(np.zeros(12), {'injection': 0.4 + spread}, margin=0.1)
  assert found.interval == pytest.approx(
    (verdict.effect, verdict.low, verdict.high)
  )
  assert found.p == pytest.approx(verdict.p) and found.seeds == 12


_MIRROR = {SHOWN: OPPOSITE, OPPOSITE: SHOWN, NOT_SHOWN: NOT_SHOWN}
_NUMBERS = strategies.lists(
  strategies.floats(-3, 3).map(lambda x: round(x, 2)), min_size=7, max_size=9
)


@hypothesis.given(_NUMBERS)
@hypothesis.settings(max_examples=30, deadline=None)
def test_swapping_arms_turns_the_answer_round(numbers):
  study = made.study(
    made.sample('a', numbers), made.sample('b', np.zeros(len(numbers)))
  )
  one = claims.find(Above(Contrast('a', 'b')), study)
  other = claims.find(Above(Contrast('b', 'a')), study)
  assert other.outcome == _MIRROR[one.outcome]
  assert claims.find(Below(Contrast('a', 'b')), study).outcome == other.outcome
  turned = [-one.interval.high, -one.interval.low]
  assert [*other.interval[1:]] == pytest.approx(turned, abs=1e-6)
  same = [
    claims.find(Within(Contrast(*pair), 1.0), study).outcome
    for pair in (('a', 'b'), ('b', 'a'))
  ]
  assert same[0] == same[1]


@hypothesis.given(_NUMBERS, strategies.randoms())
@hypothesis.settings(max_examples=20, deadline=None)
def test_the_order_of_seeds_does_not_matter(numbers, random):
  order = list(range(len(numbers)))
  random.shuffle(order)
  base = np.arange(float(len(numbers)))
  values = base + numbers
  straight = made.study(
    made.sample('control', base), made.sample('injection', values)
  )
  shuffled = made.study(
    made.sample('control', base),
    made.sample('injection', values[order], seeds=[1000 + i for i in order]),
  )
  assert claims.find(Above(GAIN), straight) == claims.find(
    Above(GAIN), shuffled
  )


@hypothesis.given(_NUMBERS, strategies.floats(0, 4))
@hypothesis.settings(max_examples=30, deadline=None)
def test_a_larger_margin_asks_for_more(numbers, margin):
  study = made.study(
    made.sample('a', numbers), made.sample('b', np.zeros(len(numbers)))
  )
  contrast = Contrast('a', 'b')
  free = claims.find(Above(contrast), study)
  strict = claims.find(Above(contrast, margin), study)
  if strict.outcome == SHOWN:
    assert free.outcome == SHOWN
  assert (strict.outcome == OPPOSITE) == (free.outcome == OPPOSITE)
  narrow = claims.find(Within(contrast, margin + 0.1), study)
  wide = claims.find(Within(contrast, margin + 1.0), study)
  if narrow.outcome == SHOWN:
    assert wide.outcome == SHOWN
  if wide.outcome == OPPOSITE:
    assert narrow.outcome == OPPOSITE


def _claim(*rules_, **facts):
  return Claim(name='one', sentence='It is so.', rules=rules_, **facts)


def test_all_rules_must_hold_and_one_may_contradict():
  def outcome(*rules_):
    return claims.judge(_claim(*rules_), _study(1.0)).outcome

  yes, no, contrary = Above(GAIN), Above(GAIN, 1.0), Below(GAIN)
  assert outcome(yes) == outcome(yes, yes) == SHOWN
  assert outcome(yes, no) == outcome(no, yes) == NOT_SHOWN
  assert outcome(yes, contrary) == outcome(no, contrary, yes) == OPPOSITE
  nowhere = Above(Contrast('reset'))
  assert outcome(yes, nowhere, contrary) == UNFINISHED


def test_what_is_missing_is_told_and_nothing_is_decided():
  late = studies.Missing('reset', 'failed', 'NaN', 'log.txt')
  found = claims.find(Above(GAIN), _study(1.0, missing=(late,)))
  assert found.outcome == UNFINISHED and found.notes == ('run reset is failed',)
  assert found.interval.estimate == pytest.approx(1.0)
  lacking = made.study(
    made.sample('control', np.zeros(9)), made.sample('injection', np.ones(8))
  )
  found = claims.find(Above(GAIN), lacking)
  assert found.outcome == UNFINISHED and found.seeds == 8
  assert found.notes == ('missing: seed 1008 of injection',)
  absent = claims.find(Above(Contrast('reset')), lacking)
  assert absent.outcome == UNFINISHED and math.isnan(absent.interval.low)
  assert "unknown arm 'reset'" in absent.notes[0]


def test_what_is_not_a_number_decides_nothing():
  zero = made.study(
    made.sample('control', np.zeros(7)), made.sample('injection', np.ones(7))
  )
  found = claims.find(Above(Contrast('injection', percent=True)), zero)
  assert found.outcome == UNFINISHED and 'not a number' in found.notes[0]


def test_few_seeds():
  three = claims.find(Above(GAIN), _study(5.0, SPREAD[:3]))
  assert three.outcome == SHOWN and "Student's interval" in three.notes[0]
  for count in (1, 5):
    found = claims.find(Above(GAIN), _study(5.0, np.zeros(count)))
    assert (
      found.outcome == NOT_SHOWN and f'{count} equal values' in found.notes[0]
    )
  assert claims.find(Above(GAIN), _study(5.0, np.zeros(6))).outcome == SHOWN


def test_a_trend_that_is_there_and_one_that_is_not():
  rng = np.random.default_rng(3)
  noise = rng.normal(size=(4, 10))

  def found(slope):
    samples = [
      made.sample('all', row + slope * i, rate=10.0**i)
      for i, row in enumerate(noise)
    ]
    return claims.find(Above(Trend(Level('all'), 'rate')), made.study(*samples))

  assert found(1.5).outcome == SHOWN
  assert found(-1.5).outcome == OPPOSITE
  assert found(0.0).outcome == NOT_SHOWN


@pytest.mark.parametrize(
  'facts, message',
  (
    ({'name': 'A claim'}, "letters, digits and _, not 'A claim'"),
    ({'sentence': ''}, 'has no sentence'),
    ({'rules': ()}, 'rules is a tuple of rules'),
    ({'rules': Above(GAIN)}, 'rules is a tuple of rules'),
    ({'rules': (GAIN,)}, 'a rule is Above(...), Below(...) or Within(...)'),
    ({'rules': (Within(GAIN, 0.0),)}, '< 0 can never be decided'),
    ({'rules': (Above(GAIN, math.nan),)}, '> nan can never be decided'),
  ),
)
def test_claims_that_are_none(facts, message):
  with pytest.raises(UserError) as error:
    dataclasses.replace(_claim(Above(GAIN)), **facts)
  assert message in str(error.value)


def test_the_list_of_a_file():
  class File:
    CLAIMS = (_claim(Above(GAIN)),)

  assert claims.listed(File, 'x.py') == File.CLAIMS
  assert claims.listed(object(), 'x.py') == ()
  File.CLAIMS = 2 * File.CLAIMS
  with pytest.raises(UserError, match="x.py: two claims are called 'one'"):
    claims.listed(File, 'x.py')
  File.CLAIMS = (1,)
  with pytest.raises(UserError, match='CLAIMS is a tuple of Claim'):
    claims.listed(File, 'x.py')


def test_columns_that_are_read():
  dead = 'plasticity/q/dead_units/head'
  one = _claim(
    Above(Level('control', column=dead), 0.5),
    Above(Level('control', column='at_fork/greedy_agreement'), 0.5),
    Above(Contrast('injection', column='flops')),
    metric='train/return',
  )
  assert claims.columns([one]) == {dead: 'one', 'train/return': 'one'}


def test_what_no_run_could_decide_is_refused():
  claims.check([_claim(Above(GAIN))], _study(0.0))
  with pytest.raises(UserError, match="claim 'one': unknown arm 'reset'"):
    claims.check([_claim(Above(Contrast('reset')))], _study(0.0))
