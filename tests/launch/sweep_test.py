import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launch import names
from launch import sweep as h
from plasticity_rl.errors import UserError

RATES = h.sweep('optimizer.learning_rate', [1e-3, 1e-4])
WIDTHS = h.sweep('config.network.hidden', [(8,), (16, 16)])


def test_product_zip_chain():
  assert h.product(RATES, WIDTHS) == [
    {'optimizer.learning_rate': a, 'network.hidden': b}
    for a, b in itertools.product([1e-3, 1e-4], [(8,), (16, 16)])
  ]
  assert h.zip(RATES, WIDTHS) == [
    {'optimizer.learning_rate': 1e-3, 'network.hidden': (8,)},
    {'optimizer.learning_rate': 1e-4, 'network.hidden': (16, 16)},
  ]
  assert h.chain(RATES, WIDTHS) == RATES + WIDTHS
  assert h.product() == [{}]


def test_arms_are_named_overrides():
  arms = h.chain(h.arm('control'), h.arm('big', {'network.hidden': (64,)}))
  run = h.product(RATES, arms)[1]
  assert h.flatten(run) == (
    'big',
    {'network.hidden': (64,), 'optimizer.learning_rate': 1e-3},
  )
  assert names.of(run) == 'big,learning_rate=0.001'
  with pytest.raises(UserError, match='sets network.hidden twice: in arm'):
    h.flatten({**run, 'network.hidden': (8,)})


@pytest.mark.parametrize(
  'make, message',
  (
    (lambda: h.sweep('seed', []), 'the sweep of seed is empty'),
    (lambda: h.sweep('seed', '123'), "needs a list of values: '123'"),
    (lambda: h.sweep('arm', ['control']), "'arm' is no key of the config"),
    (lambda: h.arm({'seed': 1}), "h.arm needs a name: {'seed': 1}"),
    (lambda: h.sweep('seed', [1, 2, 1]), 'runs 1 and 3 have the same'),
    (lambda: h.product(RATES, RATES), 'sets optimizer.learning_rate twice'),
    (lambda: h.zip(RATES, h.sweep('seed', [1])), 'one length, found 2 and 1'),
    (lambda: h.chain(RATES, RATES), 'runs 1 and 3 have the same overrides'),
    (lambda: h.check([]), 'the sweep is empty'),
    (lambda: h.check(None), 'must return a list of dicts'),
    (lambda: h.check([{'seed': 1}, {'seed': 1}]), 'runs 1 and 2 have the same'),
  ),
)
def test_mistakes(make, message):
  with pytest.raises(UserError, match=message):
    make()


@pytest.mark.parametrize(
  'text, values',
  (
    ('1e-4,3e-4', [1e-4, 3e-4]),
    ('1', [1]),
    ('', []),
    ('relu,tanh', ['relu', 'tanh']),
    ('(32,),(64, 64)', [(32,), (64, 64)]),
    ('True,False', [True, False]),
    ('f(a,b),[1,2]', ['f(a,b)', [1, 2]]),
    ('("injection(at_steps=5)",),()', [('injection(at_steps=5)',), ()]),
  ),
)
def test_values_from_the_shell(text, values):
  assert h.parse_values(text) == values


def test_an_axis_is_replaced_or_added():
  runs = h.zip(RATES, WIDTHS)
  assert h.override(runs, {'optimizer.learning_rate': [7.0]}) == [
    {'network.hidden': (8,), 'optimizer.learning_rate': 7.0},
    {'network.hidden': (16, 16), 'optimizer.learning_rate': 7.0},
  ]
  assert len(h.override(runs, {'seed': [1, 2]})) == 4
  # What the axis told apart alone is one run now.
  assert h.override(RATES, {'optimizer.learning_rate': [1.0]}) == [
    {'optimizer.learning_rate': 1.0}
  ]


def test_names_are_of_a_runs_own_overrides():
  assert names.of({}) == 'all'
  assert (
    names.of({'optimizer.learning_rate': 1e-4, 'network.hidden': (8, 8)})
    == 'learning_rate=0.0001,hidden=8-8'
  )
  # Leaves that are alike are told apart by their sections.
  assert (
    names.of({'agent.name': 'dqn', 'environment.name': 'catch'})
    == 'agent.name=dqn,environment.name=catch'
  )


_VALUES = st.one_of(
  st.integers(),
  st.floats(allow_nan=False),
  st.booleans(),
  st.text(max_size=8),
  st.tuples(st.integers(), st.text(max_size=4)),
  st.lists(st.integers(), max_size=60).map(tuple),
)


@given(_VALUES, _VALUES)
def test_other_values_have_other_folders(a, b):
  one, other = (names.of({'x.key': v}) for v in (a, b))
  for name in (one, other):
    assert len(name) <= names.LONGEST
    assert '/' not in name and not name.startswith('.') and name.isascii()
  # '1' and 1, or 1.0 and 1, are of different types: no key holds both.
  if type(a) is type(b) and h.canonical(a) != h.canonical(b):
    assert one != other
