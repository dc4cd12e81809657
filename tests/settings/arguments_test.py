"""What `config.environment.arguments` may hold, and its way through JSON."""

import json
import math
import pathlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from plasticity_rl import settings as settings_lib
from plasticity_rl.errors import UserError
from plasticity_rl.run import run_folder
from plasticity_rl.settings import arguments

NAME = 'tests.environments.scripted:GymEnv'
SCALARS = st.one_of(
  st.none(),
  st.booleans(),
  st.integers(),
  st.floats(allow_nan=False, allow_infinity=False),
  st.text(),
  st.sampled_from(['!list', '!dict']),
)
NESTED = st.recursive(
  SCALARS,
  lambda inner: st.one_of(
    st.lists(inner, max_size=3),
    st.lists(inner, max_size=3).map(tuple),
    st.dictionaries(SCALARS, inner, max_size=3),
  ),
  max_leaves=8,
)


def config(given_arguments):
  found = settings_lib.default_config('dqn', NAME)
  found.environment.arguments = given_arguments
  return found


def resolved(given_arguments):
  return settings_lib.resolve(config(given_arguments))


def as_text(value):
  """Equal for equal values of equal types: 1 is not 1.0, nor (1,) [1]."""
  return repr(value)


@settings(deadline=None, max_examples=60)
@given(st.lists(NESTED, max_size=3).map(tuple))
def test_they_come_back_from_json_as_they_were(given_arguments):
  before = resolved(given_arguments)
  text = json.dumps(settings_lib.to_dict(before), allow_nan=False)
  after = settings_lib.resolve(json.loads(text))
  for one in (before, after):
    found = one.environment_options['arguments']
    assert as_text(found) == as_text(given_arguments)
  # Without JSON, too: as a diagnosis of a run takes its config.
  again = settings_lib.resolve(settings_lib.to_dict(before))
  assert as_text(again) == as_text(before)


def test_they_are_a_copy():
  inner = {'a': [1]}
  found = resolved((inner,))
  inner['a'].append(2)
  assert found.environment_options['arguments'] == ({'a': [1]},)


@pytest.mark.parametrize(
  ('value', 'message'),
  [
    (np.int64(3), r'np.int64\(3\) \(numpy.int64\): .*; give value.tolist'),
    (np.float64(3), r'numpy.float64\): .*; give value.tolist'),
    (np.zeros(2), r'\(numpy.ndarray\): .*; give value.tolist'),
    (pathlib.Path('x'), r'; give str\(path\)'),
    ({1, 2}, 'give a tuple'),
    (b'x', r'\(bytes\): arguments are numbers, text'),
    (object, r'\(type\): .*; let a callable of your own make others'),
    (math.nan, 'must be a finite number: nan'),
    (-math.inf, 'must be a finite number: -inf'),
    ({(1, 2): 3}, r'has the key \(1, 2\) \(tuple\): keys must be'),
    ({np.int64(3): 3}, 'has the key .*numpy.int64'),
  ],
  ids=lambda value: type(value).__name__,
)
def test_others_are_refused_by_their_place(value, message):
  for nested, where in (
    ((value,), r'\[0\]'),
    ((1, [2, value]), r'\[1\]\[1\]'),
    (({'a': (value,)},), r"\[0\]\['a'\]\[0\]"),
  ):
    match = rf'^config.environment.arguments{where} .*{message}'
    with pytest.raises(UserError, match=match) as caught:
      resolved(nested)
    assert '\n' not in str(caught.value)


def test_a_value_that_contains_itself():
  inner = []
  inner.append(inner)
  with pytest.raises(UserError, match='contains itself'):
    arguments.resolve((inner,))
  with pytest.raises(UserError, match='must be a tuple: 3'):
    arguments.resolve(3)


def test_runs_of_earlier_versions_are_the_same_runs():
  """They wrote plain JSON: lists for tuples, and text for all keys."""
  given_arguments = (((9, 'a'),), {1: [2], None: (True,), 0.5: {'b': 1}}, [3])
  now = resolved(given_arguments)
  recorded = settings_lib.to_dict(now)
  assert not run_folder.differences(recorded, now)
  recorded['environment']['arguments'] = json.loads(
    json.dumps(list(given_arguments))
  )
  assert not run_folder.differences(recorded, now)
  recorded['environment']['arguments'][1]['1'] = [4]
  (line,) = run_folder.differences(recorded, now)
  assert line.startswith('environment.arguments (there ')
  # A tuple in a tuple was a list in a list.
  (old,) = settings_lib.resolve(
    {**recorded, 'environment': {'name': NAME, 'arguments': [[[9, 'a']]]}}
  ).environment_options['arguments']
  assert old == ((9, 'a'),)


def test_other_arguments_are_another_run():
  before = settings_lib.to_dict(resolved(({1: 2},)))
  for other in (({'1': 2},), ([1, 2],), ({1: 3},), ()):
    (line,) = run_folder.differences(before, resolved(other))
    assert line.startswith('environment.arguments (there ')
