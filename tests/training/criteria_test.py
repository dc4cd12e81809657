"""Criteria: what is read, when it is met, and what is refused."""

import json

import numpy as np
import pytest

from plasticity_rl.errors import UserError
from plasticity_rl.training import criteria

NAN = float('nan')


def fires(text, values, **options):
  """Steps (of ten each) at which a criterion of one seed fires."""
  watch = criteria.CriterionState(criteria.parse(text, **options), 1)
  return [
    10 * i
    for i, v in enumerate(values)
    if watch.observe(10 * i, np.array([v]))[0]
  ]


@pytest.mark.parametrize(
  'text, values, wanted',
  (
    ('a/b > 0.5', [0.4, 0.5, 0.6], [20]),
    ('a/b < -1e-2', [0, -0.01, -0.02], [20]),
    ('a/b < 0.5 * initial', [8, 5, 4, 3.9], [30]),
    ('a/b > 3 * lowest', [9, 2, 6, 6.5], [30]),
    ('a/b < 0.5 * highest', [1, 9, 5, 4], [30]),
    ('a/b plateaus', [1, 2, 3, 3], [30]),
    ('a/b plateaus within 0.5', [1, 2, 2.4], [20]),
    ('a/b settles within 0.1', [1, 2, 1.5, 1.55], [30]),
    ('  a/b   >  0.5 ', [0.6], [0]),
  ),
)
def test_each_kind_is_met_where_it_should(text, values, wanted):
  assert fires(text, values) == wanted


def test_a_value_below_the_last_counts_from_the_highest():
  # Better than the last, not than the best so far.
  assert fires('a plateaus', [5, 1, 2]) == [10]
  assert fires('a plateaus', [5, 1, 2], patience=2) == [20]


def test_patience_is_in_a_row():
  values = [1, 1, 0, 1, 1, 1]
  assert fires('a > 0.5', values, patience=3) == [50]


def test_missing_values_neither_count_nor_break_a_row():
  assert fires('a > 0.5', [1, NAN, 1], patience=2) == [20]
  assert fires('a < 0.5 * initial', [NAN, 4, 1]) == [20]


def test_cooldown_and_number_of_times():
  ones = [1] * 8
  assert fires('a > 0', ones) == [0]
  assert fires('a > 0', ones, max_times=3) == [0, 10, 20]
  assert fires('a > 0', ones, max_times=3, cooldown_steps=25) == [0, 30, 60]
  # A row begins anew after each.
  assert fires('a > 0', ones, max_times=2, patience=3) == [20, 50]


def test_seeds_are_apart_and_say_why():
  watch = criteria.CriterionState(criteria.parse('a > 0.5 * initial'), 3)
  watch.observe(0, np.array([-2.0, 4.0, 4.0]))
  why = watch.observe(10, np.array([-2.0, 3.0, 1.0]))
  assert [bool(w) for w in why] == [False, False, False]
  watch = criteria.CriterionState(criteria.parse('a < 0.5 * initial'), 3)
  watch.observe(0, np.array([4.0, 4.0, 8.0]))
  why = watch.observe(10, np.array([3.0, 1.0, 3.0]))
  assert why[0] == ''
  assert why[1] == ('a is 1; a < 0.5 * initial (reference 2), 1 in a row')
  assert why[2].startswith('a is 3;')


def test_saved_and_restored_through_json():
  values = np.array([[1, 5], [NAN, 2], [1, 2], [0.1, 7], [0.1, 0.1]])
  criterion = criteria.parse(
    'a < 0.5 * initial', patience=2, max_times=2, cooldown_steps=10
  )
  whole = criteria.CriterionState(criterion, 2)
  wanted = [whole.observe(i, v) for i, v in enumerate(values)]
  assert any(any(w) for w in wanted)
  for cut in range(len(values)):
    first, second = (
      criteria.CriterionState(criterion, 2),
      criteria.CriterionState(criterion, 2),
    )
    found = [first.observe(i, values[i]) for i in range(cut)]
    second.restore(json.loads(json.dumps(first.save())))
    found += [second.observe(i, values[i]) for i in range(cut, len(values))]
    assert found == wanted


def test_copies_of_one_seed_share_its_history():
  criterion = criteria.parse('a < 0.5 * initial')
  one, many = (
    criteria.CriterionState(criterion, 1),
    criteria.CriterionState(criterion, 3),
  )
  one.observe(0, np.array([4.0]))
  many.restore(one.save())
  assert [bool(w) for w in many.observe(1, np.array([1.0, 3, 1]))] == [
    True,
    False,
    True,
  ]


@pytest.mark.parametrize(
  'text',
  (
    'a',
    'a >',
    '> 1',
    'a > b',
    'a > 1 * best',
    'a = 1',
    'a plateaus by 1',
    'a > 1; import os',
    3,
    None,
    '',
  ),
)
def test_what_is_no_criterion_is_refused(text):
  with pytest.raises(UserError, match='cannot read when='):
    criteria.parse(text)


@pytest.mark.parametrize(
  'options',
  (
    {'patience': 0},
    {'patience': 1.0},
    {'max_times': 0},
    {'cooldown_steps': -1},
    {'cooldown_steps': True},
  ),
)
def test_bad_options_are_refused(options):
  with pytest.raises(UserError, match='must be a whole number'):
    criteria.parse('a > 1', **options)
