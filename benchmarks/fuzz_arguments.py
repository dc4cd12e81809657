"""Odd values in `config.environment.arguments`; see `fuzz_environments`."""

import collections
import json
import math

import numpy as np
from hypothesis import strategies as st

from benchmarks import fuzzing
from benchmarks.fuzz_states import UNSAVED
from benchmarks.fuzzing import Part
from plasticity_rl import settings as settings_lib
from plasticity_rl.errors import UserError

_LITERALS = st.one_of(
  st.none(),
  st.booleans(),
  st.integers(),
  st.floats(allow_nan=False, allow_infinity=False),
  st.text(max_size=3),
)
_NO_ARGUMENTS = st.one_of(
  UNSAVED,
  st.just(math.inf),
  st.just(math.nan),
  st.just(np.int64(3)),
  st.just(np.float64(3)),
  st.just(np.str_('a')),
  st.just(np.zeros(2)),
  st.just({1, 2}),
  st.just(b'a'),
  st.just({(1, 2): 3}),
  st.just(collections.OrderedDict(a=1)),
)
ARGUMENTS = st.lists(
  st.recursive(
    fuzzing.mostly(
      _LITERALS.map(lambda x: Part(x, True)),
      _NO_ARGUMENTS.map(lambda x: Part(x, False)),
    ),
    lambda inner: st.one_of(
      *(
        st.lists(inner, max_size=3).map(
          lambda parts, kind=kind: Part(
            kind(part.value for part in parts), all(part.fits for part in parts)
          )
        )
        for kind in (list, tuple)
      ),
      st.dictionaries(_LITERALS, inner, max_size=3).map(
        lambda parts: Part(
          {key: part.value for key, part in parts.items()},
          all(part.fits for part in parts.values()),
        )
      ),
    ),
    max_leaves=6,
  ),
  max_size=3,
)


def _arguments(parts: list[Part]) -> bool:
  given = tuple(part.value for part in parts)
  fit = all(part.fits for part in parts)
  config = settings_lib.default_config('dqn', 'my_envs:Corridor').to_dict()
  config['environment']['arguments'] = given
  try:
    settings = settings_lib.resolve(config)
  except UserError as error:
    fuzzing.check_line(error, 'config.environment.arguments')
    assert not fit, f'refused: {error}'
    return False
  assert fit, 'taken'
  text = json.dumps(settings_lib.to_dict(settings), allow_nan=False)
  again = settings_lib.resolve(json.loads(text))
  for one in (settings, again):
    assert repr(one.environment_options['arguments']) == repr(given)
  return True


def arguments(examples: int) -> fuzzing.Tally:
  """Tries arguments of an environment, and their way through JSON."""
  return fuzzing.run(examples, ARGUMENTS, _arguments)
