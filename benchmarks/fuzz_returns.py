"""Odd values from reset and step; see `fuzz_environments`."""

from typing import Any, NamedTuple

import dm_env
import gymnasium
import numpy as np
from dm_env import specs
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from benchmarks import fuzzing
from benchmarks.fuzzing import Part
from plasticity_rl.environments import host_registry
from plasticity_rl.errors import UserError

_HERE = 'benchmarks.fuzz_returns'
_SPACES = gymnasium.spaces

ODD = st.one_of(
  st.none(),
  st.text(max_size=3),
  st.binary(max_size=3),
  st.just({}),
  st.just({'a': 1.0}),
  st.just([[1], [2, 3]]),
  st.just(object()),
  st.just(1j),
  st.just(float('nan')),
  st.just(float('-inf')),
  st.just(10**400),
  st.just(np.array([None])),
  st.just(np.array(['1'])),
  st.just(np.array([])),
  st.just(np.ma.masked),
  st.just(lambda: 0),
  st.just(()),
).map(lambda value: Part(value, False))


def _forms(values: st.SearchStrategy) -> st.SearchStrategy:
  """Numbers as people return them."""
  forms = (float, np.float32, np.float64, np.array)
  forms += (lambda x: [x], lambda x: np.array([[x]], np.float32))
  return st.builds(lambda x, form: form(x), values, st.sampled_from(forms))


REWARDS = fuzzing.mostly(
  st.one_of(
    _forms(st.floats(-100, 100, width=32)),
    st.integers(-(2**70), 2**70),
    st.booleans(),
  ).map(lambda x: Part(x, True)),
  ODD,
  hnp.arrays(np.float32, hnp.array_shapes(min_side=2)).map(
    lambda x: Part(x, False)
  ),
)
ENDS = fuzzing.mostly(
  st.sampled_from([True, False, 0, 1, np.True_, np.array(False), [1.0]]).map(
    lambda x: Part(x, True)
  ),
  ODD,
  st.sampled_from([2, -1, np.array([0, 1])]).map(lambda x: Part(x, False)),
  st.just(Part(0.5, None)),  # A discount, but no answer of yes or no.
)
_DTYPES = st.sampled_from(
  [np.float32, np.float64, np.uint8, np.int64, np.bool_]
)


@st.composite
def _boxes(draw):
  """A box, with a value of it, and whether it must be taken as a space."""
  shape = draw(hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))
  dtype = np.dtype(draw(_DTYPES))
  low, high = (0, 1) if dtype == np.bool_ else (0, 255)
  space = _SPACES.Box(low, high, shape, dtype)
  value = draw(
    hnp.arrays(
      dtype,
      shape,
      elements={'min_value': low, 'max_value': high}
      if dtype.kind in 'uif'
      else None,
    )
  )
  is_deep = dtype == np.uint8 and len(shape) > 3
  return space, value, bool(value.size) and not is_deep


@st.composite
def _spaces(draw):
  """A space of gymnasium, a value of it, and whether it must be taken."""
  if draw(st.booleans()):
    return draw(_boxes())
  kind = draw(st.integers(0, 5))
  inner = [draw(_boxes())[:2] for _ in range(2)]
  if kind == 0:
    number, start = draw(st.integers(1, 4)), draw(st.integers(-3, 3))
    space = _SPACES.Discrete(number, start=start)
  elif kind == 1:
    space = _SPACES.MultiDiscrete([2, 3])
  elif kind == 2:
    space = _SPACES.MultiBinary(3)
  elif kind == 3:
    space = _SPACES.Dict({str(i): one for i, (one, _) in enumerate(inner)})
    value = {str(i): one for i, (_, one) in enumerate(inner)}
    return space, value, any(one.size for _, one in inner)
  elif kind == 4:
    space = _SPACES.Tuple([one for one, _ in inner])
    value = tuple(one for _, one in inner)
    return space, value, any(one.size for _, one in inner)
  else:
    other = draw(
      st.sampled_from([None, 3, _SPACES.Sequence(_SPACES.Discrete(2))])
    )
    return other, None, False
  space.seed(draw(st.integers(0, 99)))
  return space, space.sample(), True


@st.composite
def _observations(draw, value):
  """The value itself, another form of it, or something else."""
  how = draw(st.integers(0, 19))
  if how > 3:
    return Part(value, True)
  if how == 3:
    return draw(ODD)
  if how == 2 and isinstance(value, np.ndarray):
    return Part(value.tolist(), None)
  if how == 1 and isinstance(value, np.ndarray):
    return Part(
      draw(hnp.arrays(np.float64, hnp.array_shapes(min_dims=0))), None
    )
  if isinstance(value, np.ndarray) and value.ndim:
    return Part(np.moveaxis(value, 0, -1), None)
  return Part([value, value], None)


class Case(NamedTuple):
  """All that an environment returns, and the space of its observations."""

  is_gymnasium: bool
  space: Any
  takes_space: bool
  first: Part
  then: Part
  reward: Part
  ends: Part
  stops: Part
  form: str


@st.composite
def cases(draw):
  """What an environment of gymnasium or dm_env may return."""
  is_gymnasium = draw(st.booleans())
  space, value, takes = draw(_spaces() if is_gymnasium else _boxes())
  forms = ['right'] * 40 + ['short', 'long', 'bare', 'none', 'first']
  return Case(
    is_gymnasium,
    space,
    takes,
    draw(_observations(value)),
    draw(_observations(value)),
    draw(REWARDS),
    draw(ENDS),
    draw(ENDS),
    draw(st.sampled_from(forms)),
  )


class Gym(gymnasium.Env):
  """Returns what a case says."""

  action_space = _SPACES.Discrete(2)

  def __init__(self, case):
    self.observation_space, self._case = case.space, case

  def reset(self, *, seed=None, options=None):
    return self._case.first.value, {}

  def step(self, action):
    case = self._case
    seen, reward = case.then.value, case.reward.value
    ends, stops = case.ends.value, case.stops.value
    return {
      'right': (seen, reward, ends, stops, {}),
      'short': (seen, reward, ends, {}),
      'long': (seen, reward, ends, stops, {}, {}),
      'bare': seen,
      'none': None,
      'first': dm_env.restart(seen),
    }[case.form]


class Dm(dm_env.Environment):
  """Returns what a case says."""

  def __init__(self, case):
    self._case = case

  def reset(self):
    return dm_env.restart(self._case.first.value)

  def step(self, action):
    case = self._case
    seen, reward = case.then.value, case.reward.value
    return {
      'right': dm_env.TimeStep(
        dm_env.StepType.MID, reward, case.ends.value, seen
      ),
      'short': (seen, reward),
      'long': (dm_env.StepType.MID, reward, 1.0, seen, 0),
      'bare': seen,
      'none': None,
      'first': dm_env.restart(seen),
    }[case.form]

  def observation_spec(self):
    return specs.Array(self._case.space.shape, self._case.space.dtype)

  def action_spec(self):
    return specs.DiscreteArray(2)


def _naive(space: Any, value: Any) -> np.ndarray:
  """The numbers of an observation in order, as one would write it at first."""
  if isinstance(space, _SPACES.Box):
    found = np.asarray(value, np.float64)
    assert found.squeeze().shape == np.zeros(space.shape).squeeze().shape
  elif isinstance(space, _SPACES.Discrete):
    found = np.eye(space.n)[int(np.squeeze(value)) - space.start]
  elif isinstance(space, _SPACES.Dict):
    found = np.concatenate([_naive(s, value[k]) for k, s in space.items()])
  elif isinstance(space, _SPACES.Tuple):
    found = np.concatenate(
      [_naive(s, v) for s, v in zip(space, value, strict=True)]
    )
  else:
    assert space.contains(value)
    found = _SPACES.flatten(space, value)
  assert np.isfinite(found).all()
  return np.ravel(found)


def _must(case: Case) -> bool | None:
  """Whether a case must be taken or refused; None for either."""
  parts = [case.first, case.then, case.reward, case.ends]
  if case.is_gymnasium:
    parts.append(case.stops)
  if not case.takes_space or case.form != 'right':
    return False
  # A MultiBinary may take bool, and so on: only what is surely wrong is False.
  if any(part.fits is False for part in parts):
    return False
  return True if all(part.fits for part in parts) else None


def _returns(case: Case) -> bool:
  name = f'{_HERE}:{"Gym" if case.is_gymnasium else "Dm"}'
  must = _must(case)
  try:
    envs = host_registry.make(name, 2, evaluation=False, arguments=(case,))
  except UserError as error:
    fuzzing.check_line(error, name)
    assert must is not True, f'refused: {error}'
    return False
  assert must is not False, 'taken'
  first = envs.begin(np.array([1, 2], np.uint32))
  step = envs.step(np.zeros(2, np.int32))
  for seen, part in ((first, case.first), (step.observation, case.then)):
    assert seen.dtype == envs.spaces.observation_dtype
    assert seen.shape == (2, *envs.spaces.observation_shape)
    expected = _naive(case.space, part.value).astype(seen.dtype)
    np.testing.assert_array_equal(seen[1].ravel(), expected)
  reward = np.asarray(case.reward.value, np.float64).astype(np.float32)
  assert step.reward.tolist() == [reward.item()] * 2
  ends = float(np.squeeze(case.ends.value))
  if case.is_gymnasium:
    stops = bool(np.squeeze(case.stops.value))
    assert step.discount.tolist() == [1 - ends] * 2
    assert step.last.tolist() == [bool(ends) or stops] * 2
  else:
    assert step.discount.tolist() == [ends] * 2 and not step.last.any()
  return True


def returns(examples: int) -> fuzzing.Tally:
  """Tries what environments return."""
  return fuzzing.run(examples, cases(), _returns)
