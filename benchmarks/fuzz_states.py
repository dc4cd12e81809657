"""Odd values from get_state; see `fuzz_environments`."""

import collections
import pathlib
import random
from typing import Any, NamedTuple

import gymnasium
import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from benchmarks import fuzzing
from plasticity_rl.environments import custom_state
from plasticity_rl.environments import host_registry
from plasticity_rl.errors import UserError

_HERE = 'benchmarks.fuzz_states'
_SPACES = gymnasium.spaces

_HASHABLE = st.one_of(
  st.none(),
  st.booleans(),
  st.integers(-(2**200), 2**200),
  st.floats(allow_nan=False),
  st.text(max_size=3),
  st.binary(max_size=3),
  st.tuples(st.integers(), st.text(max_size=2)),
)
SAVED = st.recursive(
  st.one_of(
    _HASHABLE,
    st.floats(),
    st.complex_numbers(),
    hnp.arrays(
      st.one_of(hnp.scalar_dtypes(), hnp.unicode_string_dtypes()),
      hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3),
    ),
    st.sets(_HASHABLE, max_size=3),
    st.integers(0, 99).map(np.random.default_rng),
    st.integers(0, 99).map(lambda i: np.random.default_rng(i).bit_generator),
    st.integers(0, 99).map(np.random.RandomState),
    st.integers(0, 99).map(np.random.SeedSequence),
    st.integers(0, 99).map(random.Random),
  ),
  lambda inner: st.one_of(
    st.lists(inner, max_size=3),
    st.lists(inner, max_size=3).map(tuple),
    st.lists(inner, max_size=3).map(collections.deque),
    st.dictionaries(_HASHABLE, inner, max_size=3),
  ),
  max_leaves=6,
)


def _endless() -> list:
  found: list = []
  found.append(found)
  return found


UNSAVED = st.one_of(
  st.builds(object),
  st.just(lambda: 0),
  st.just(np.array([None])),
  st.just(_SPACES.Discrete(2)),
  st.builds(random.SystemRandom),
  st.builds(_endless),
  st.just(pathlib.Path('x')),
  st.just(np.zeros(2, [('a', 'i4')])),
)
FIELDS = ('place', 'history', 'rng')


class Memory(NamedTuple):
  """What an environment keeps in its state.

  Attributes:
    fields: those of `FIELDS` that are in the state.
    more: something else in it.
    fits: whether `more` can be saved.
    is_nested: whether it is in a tuple in a dict.
  """

  fields: tuple[str, ...]
  more: Any
  fits: bool
  is_nested: bool


@st.composite
def memories(draw):
  """States, of which nine of ten are whole and of what can be saved."""
  fields, (fits, more) = FIELDS, (True, SAVED)
  if not draw(st.integers(0, 9)):
    fields = draw(
      st.sampled_from(
        [FIELDS[:i] + FIELDS[i + 1 :] for i in range(len(FIELDS))]
      )
    )
  if not draw(st.integers(0, 9)):
    fits, more = False, UNSAVED
  return Memory(fields, draw(more), fits, draw(st.booleans()))


class Remembering(gymnasium.Env):
  """Moves at random; its history grows, and all of it can be seen."""

  observation_space = _SPACES.Box(-np.inf, np.inf, (3,), np.float64)
  action_space = _SPACES.Discrete(2)

  def __init__(self, memory):
    self._memory = memory
    self.given = None
    self.place, self.history, self.rng = 0.0, [], np.random.default_rng()

  def _see(self):
    return np.array([self.place, len(self.history), sum(self.history)])

  def reset(self, *, seed=None, options=None):
    if seed is not None:
      self.rng, self.history = np.random.default_rng(seed), []
    self.place = float(self.rng.normal())
    return self._see(), {}

  def step(self, action):
    self.place += int(action) + float(self.rng.normal())
    self.history.append(int(self.rng.integers(9)))
    return self._see(), self.place, False, len(self.history) % 7 == 0, {}

  def get_state(self):
    found = {name: getattr(self, name) for name in self._memory.fields}
    more = self._memory.more
    return {**found, 'more': ({1: more},) if self._memory.is_nested else more}

  def set_state(self, state):
    more = state.pop('more')
    self.given = more[0][1] if self._memory.is_nested else more
    for name, value in state.items():
      setattr(self, name, value)


def _same(a: Any, b: Any) -> bool:
  """Whether two states are equal, in types and to the bit."""
  if type(a) is not type(b):
    return False
  return np.array_equal(custom_state.encode(a), custom_state.encode(b))


def _states(memory: Memory) -> bool:
  name = f'{_HERE}:Remembering'

  def make():
    return host_registry.make(name, 2, evaluation=False, arguments=(memory,))

  try:
    envs = make()
  except UserError as error:
    fuzzing.check_line(error, name)
    is_whole = memory.fits and len(memory.fields) == len(FIELDS)
    assert not is_whole, f'refused: {error}'
    return False
  assert memory.fits and len(memory.fields) == len(FIELDS), 'taken'
  copy = make()
  envs.begin(np.array([1, 2], np.uint32))
  actions = np.array([0, 1], np.int32)
  for _ in range(3):
    envs.step(actions)
  saved = {key: array.copy() for key, array in envs.get_state().items()}
  copy.set_state(saved)
  assert _same(copy._envs[0]._env.given, memory.more)
  for _ in range(12):
    for a, b in zip(envs.step(actions), copy.step(actions), strict=True):
      np.testing.assert_array_equal(a, b)
  return True


def states(examples: int) -> fuzzing.Tally:
  """Tries what get_state returns."""
  return fuzzing.run(examples, memories(), _states)
