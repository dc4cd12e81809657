"""States of users' environments come back exactly as they were."""

import collections
import math
import random

import gymnasium
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from plasticity_rl.environments import custom_state


def back(state):
  encoded = custom_state.encode(state)
  assert encoded.dtype == np.uint8 and encoded.ndim == 1
  # Zeros at the end, as of a longer state beside it, are ignored.
  return custom_state.decode(np.pad(encoded, (0, 5)))


def same(a, b):
  """Whether two values are equal, of equal types, NaN being equal to itself."""
  if type(a) is not type(b):
    return False
  if isinstance(a, (list, tuple, collections.deque)):
    return len(a) == len(b) and all(map(same, a, b))
  if isinstance(a, dict):
    return same(list(a.items()), list(b.items()))
  if isinstance(a, (np.ndarray, np.generic)):
    return (
      a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    )
  if isinstance(a, (float, complex)):
    return repr(a) == repr(b)
  return a == b


HASHABLE = st.one_of(
  st.none(),
  st.booleans(),
  st.integers(),
  st.integers(-(2**200), 2**200),
  st.floats(allow_nan=False),
  st.text(),
  st.binary(),
  st.tuples(st.integers(), st.text()),
)
LEAVES = st.one_of(
  HASHABLE,
  st.floats(),
  st.text(st.characters(), max_size=3),  # Halves of surrogate pairs, too.
  hnp.arrays(
    st.one_of(
      hnp.boolean_dtypes(),
      hnp.integer_dtypes(),
      hnp.floating_dtypes(sizes=(16, 32, 64)),
      hnp.unicode_string_dtypes(),
    ),
    hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3),
  ),
  hnp.from_dtype(np.dtype(np.float32)),
  hnp.from_dtype(np.dtype(np.int64)),
  st.frozensets(HASHABLE, max_size=3),
  st.sets(HASHABLE, max_size=3),
)
STATES = st.recursive(
  LEAVES,
  lambda inner: st.one_of(
    st.lists(inner, max_size=3),
    st.lists(inner, max_size=3).map(tuple),
    st.dictionaries(HASHABLE, inner, max_size=3),
    st.lists(inner, max_size=3).map(lambda x: collections.deque(x, 4)),
  ),
  max_leaves=8,
)


@settings(deadline=None, max_examples=100)
@given(STATES)
def test_whatever_is_nested_comes_back_as_it_was(state):
  assert same(back(state), state)
  np.testing.assert_array_equal(
    custom_state.encode(back(state)), custom_state.encode(state)
  )


@pytest.mark.parametrize(
  'state',
  [
    2**127,
    -(10**5000),
    '',
    'a\0b\0',
    b'',
    b'\0\1\0',
    bytearray(b'ab'),
    1 - 0j,
    complex(math.nan, -math.inf),
    np.str_(''),
    np.bool_(True),
    np.zeros((0, 3)),
    np.arange(6, dtype='>i4').reshape(2, 3).T,
    np.array(['2020-01-01'], 'M8[D]'),
    {1: 'a', '1': 'b', (1, 2): None},
    collections.deque([1], maxlen=None),
  ],
  ids=lambda state: type(state).__name__,
)
def test_what_is_easily_lost(state):
  found = back(state)
  assert same(found, state)
  if isinstance(found, collections.deque):
    assert found.maxlen == state.maxlen


@pytest.mark.parametrize(
  'kind', ['MT19937', 'PCG64', 'PCG64DXSM', 'Philox', 'SFC64']
)
def test_generators_go_on(kind):
  rng = np.random.Generator(getattr(np.random, kind)(3))
  rng.integers(5, dtype=np.uint32)  # Half of a word is kept for the next one.
  rng.spawn(1)
  copy, state, bare = back([rng, rng.bit_generator.state, rng.bit_generator])
  other = np.random.Generator(getattr(np.random, kind)(4))
  other.bit_generator.state = state
  assert bare.random_raw() == back(rng.bit_generator).random_raw()
  expected = rng.integers(5, size=9, dtype=np.uint32)
  for one in (copy, other):
    drawn = one.integers(5, size=9, dtype=np.uint32)
    np.testing.assert_array_equal(drawn, expected)
  (child,), (of_copy,) = rng.spawn(1), copy.spawn(1)
  assert child.normal() == of_copy.normal()


def test_older_generators_go_on():
  rng, python = np.random.RandomState(3), random.Random(3)
  rng.normal()  # The second of two is kept.
  python.gauss(0, 1)
  copies = back((rng, python, rng.get_state(), python.getstate()))
  assert same(copies[3], python.getstate())
  other = np.random.RandomState()
  other.set_state(copies[2])
  value = rng.normal()
  assert copies[0].normal() == value and other.normal() == value
  assert copies[1].gauss(0, 1) == python.gauss(0, 1)
  seeds = np.random.SeedSequence(3, spawn_key=(2,))
  seeds.spawn(2)
  (child,), (of_copy,) = back(seeds).spawn(1), seeds.spawn(1)
  assert child.spawn_key == of_copy.spawn_key == (2, 2)


def test_what_was_encoded_is_a_copy():
  state = {'rng': np.random.default_rng(0), 'x': np.zeros(2), 'list': []}
  encoded = custom_state.encode(state)
  state['rng'].normal(), state['x'].fill(3), state['list'].append(1)
  found = custom_state.decode(encoded)
  assert found['list'] == [] and found['x'].tolist() == [0, 0]
  assert found['rng'].normal() == np.random.default_rng(0).normal()
  found['x'][0] = 1  # It may be written to.
  assert custom_state.decode(encoded)['x'][0] == 0


def test_arrays_of_other_libraries_become_numpys():
  found = back({'x': jnp.arange(3, dtype=jnp.int32)})['x']
  assert same(found, np.arange(3, dtype=np.int32))


@pytest.mark.parametrize(
  ('state', 'message'),
  [
    ({'a': [object()]}, r"^state\['a'\]\[0\] is a builtins.object, which"),
    (gymnasium.spaces.Discrete(3), 'discrete.Discrete, which cannot be saved'),
    ((lambda: 0,), r'state\[0\] is a builtins.function'),
    ({1: np.array([None])}, r'state\[1\] is an array of dtype object'),
    (random.SystemRandom(), 'random.SystemRandom'),
    (collections.OrderedDict(), 'collections.OrderedDict'),
  ],
)
def test_what_cannot_be_saved_is_named(state, message):
  with pytest.raises(custom_state.UnsavableError, match=message):
    custom_state.encode(state)


def test_a_state_that_contains_itself():
  state = {}
  state['me'] = state
  with pytest.raises(custom_state.UnsavableError, match='contains itself'):
    custom_state.encode(state)
