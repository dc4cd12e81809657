"""Are values of every type in a config taken rightly, or refused in a line?

  python -m benchmarks.fuzz_config [--examples=20000] [--builds=300]

Puts values of every type in the place of one or several keys of a config. Each
outcome must be one of two:

- the value is taken: the settings are JSON, and the JSON gives them back;
- a `UserError` in one line that names the key.

With --builds, configs that were taken are also built as far as `train` and
`diagnose` go before they compute, where they may be refused as well, in a line.
Prints the number of inputs, and every defect, and exits with 1 if there is one.
"""

import copy
import json
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from absl import flags
from hypothesis import strategies as st

from benchmarks import fuzzing
from plasticity_rl import cli
from plasticity_rl import settings as settings_lib
from plasticity_rl.errors import UserError
from plasticity_rl.errors import shown

_EXAMPLES = flags.DEFINE_integer('examples', 20_000, 'Configs to resolve.')
_BUILDS = flags.DEFINE_integer('builds', 300, 'Configs to build.')

KINDS = (
  ('dqn', 'catch'),
  ('dqn', 'minatar_breakout'),
  ('dqn', 'atari_pong'),
  ('dqn', 'package.module:Environment'),
  ('sac', 'dmc_cheetah_run'),
  ('drq', 'dmc_pixels_cheetah_run'),
  ('supervised', 'random_labels'),
  ('supervised', 'recorded_values'),
)
# Kinds that can be built without other packages and without a file.
BUILT = (('dqn', 'catch'), ('supervised', 'random_labels'))
_LONGEST_MESSAGE = 2000
# Sizes of these are refused only by the memory, after minutes.
_SIZES = ('network.slots', 'network.sized_for_injections')

_TEXTS = (
  '',
  'relu',
  'eval/return',
  'control',
  'injection',
  'reset(scope="head")',
  'x=injection(at_steps=20)',
  'reset(every_steps=-1)',
  'injection(when="eval/return < 1")',
  'srank',
  'no\nline',
  'null\0',
  '\ud800',
  '\u00e9',
  'a' * 300,
)
_NUMBERS: st.SearchStrategy[Any] = st.one_of(
  st.booleans(),
  st.integers(),
  st.integers(-3, 100),
  st.sampled_from((2**31 - 1, 2**31, 2**63, 10**400)),
  st.builds(lambda: 10**5000),  # Python shows no number of 4300 digits.
  st.floats(),
  st.floats(0, 1),
  st.fractions(),
  st.decimals(),
  st.complex_numbers(),
  st.integers(0, 100).map(np.int64),
  st.floats(0, 1).map(np.float32),
  st.booleans().map(np.bool_),
)
_LEAVES = st.one_of(
  st.none(),
  _NUMBERS,
  st.text(),
  st.sampled_from(_TEXTS),
  st.binary(),
  st.just(pathlib.Path('x')),
  st.just(np.arange(3)),
  st.builds(object),
  st.just(len),
)
VALUES = st.recursive(
  _LEAVES,
  lambda inner: st.one_of(
    st.lists(inner, max_size=3),
    st.lists(inner, max_size=3).map(tuple),
    st.dictionaries(
      st.one_of(st.text(max_size=3), st.integers(), st.none()),
      inner,
      max_size=2,
    ),
    st.sets(st.integers(), max_size=2),
  ),
  max_leaves=6,
)


class DefectError(Exception):
  """A value that was neither taken rightly nor refused in a line."""


def leaves(
  tree: Mapping[str, Any], prefix: str = ''
) -> Iterator[tuple[str, Any]]:
  """The dotted keys of a config and their values, sections included."""
  for key, value in tree.items():
    yield f'{prefix}{key}', value
    if isinstance(value, Mapping):
      yield from leaves(value, f'{prefix}{key}.')


def changed(tree: Mapping[str, Any], changes: Mapping[str, Any]) -> Any:
  """A copy of a config with values by dotted key."""
  tree = copy.deepcopy(dict(tree))
  for path, value in changes.items():
    *sections, last = path.split('.')
    section: Any = tree
    for name in sections:
      section = section[name]
      if not isinstance(section, dict):
        break  # A change before this one replaced the section.
    else:
      section[last] = value
  return tree


def configs(kinds: Any = KINDS) -> st.SearchStrategy[Any]:
  """Configs of every kind, with one to three values of any type."""

  def of_kind(kind: tuple[str, str]) -> st.SearchStrategy[Any]:
    tree = settings_lib.default_config(*kind).to_dict()
    keys = [key for key, _ in leaves(tree) if key not in _SIZES]
    return st.tuples(
      st.just(tree),
      st.dictionaries(st.sampled_from(keys), VALUES, min_size=1, max_size=3),
    )

  return st.sampled_from(kinds).flatmap(of_kind)


def plausible(kinds: Any = BUILT) -> st.SearchStrategy[Any]:
  """Configs with one or two values of the type that the key has."""

  def of_type(default: Any) -> st.SearchStrategy[Any]:
    if isinstance(default, bool):
      return st.booleans()
    if isinstance(default, int):
      return st.one_of(st.integers(-2, 50), st.sampled_from((10**6, 2**31 - 1)))
    if isinstance(default, float):
      return st.one_of(st.floats(0, 1), st.floats(), st.integers(0, 4))
    if isinstance(default, str):
      return st.one_of(st.sampled_from(_TEXTS), st.text())
    items = st.one_of(
      st.sampled_from(_TEXTS),
      st.integers(-1, 9),
      st.tuples(*[st.integers(1, 4)] * 3),
    )
    return st.lists(items, max_size=3).map(tuple)

  def of_kind(kind: tuple[str, str]) -> st.SearchStrategy[Any]:
    tree = settings_lib.default_config(*kind).to_dict()
    plain = {
      key: default
      for key, default in leaves(tree)
      if not isinstance(default, dict) and key not in _SIZES
    }
    one = st.sampled_from(sorted(plain)).flatmap(
      lambda key: st.tuples(st.just(key), of_type(plain[key]))
    )
    return st.tuples(
      st.just(tree), st.lists(one, min_size=1, max_size=2).map(dict)
    )

  return st.sampled_from(kinds).flatmap(of_kind)


def resolved(
  tree: Mapping[str, Any], changes: Mapping[str, Any]
) -> settings_lib.Settings | None:
  """The settings of a changed config; None if it is refused in a line.

  Raises:
    DefectError: it is neither taken nor refused as it should be.
  """
  try:
    settings = settings_lib.resolve(changed(tree, changes))
  except UserError as error:
    check_message(str(error), changes)
    return None
  except Exception as error:
    raise DefectError(
      f'{shown(changes)}: {type(error).__name__}: {error}'
    ) from error
  try:
    text = json.dumps(settings_lib.to_dict(settings), allow_nan=False)
    again = settings_lib.resolve(json.loads(text))
  except Exception as error:
    raise DefectError(f'{shown(changes)}: no JSON: {error}') from error
  if again != settings:
    raise DefectError(f'{shown(changes)}: JSON gives back other settings')
  return settings


def check_message(message: str, changes: Mapping[str, Any]) -> None:
  """Checks the message of a refusal.

  Raises:
    DefectError: it is not one line, is too long, or names none of the keys.
  """
  keys = [part for key in changes for part in key.split('.')]
  if (
    not message.isprintable()
    or len(message) > _LONGEST_MESSAGE
    or not any(key in message for key in keys)
  ):
    raise DefectError(f'{shown(changes)}: {message!r}')


def built(settings: settings_lib.Settings, changes: Mapping[str, Any]) -> bool:
  """Whether `train` and `diagnose` take settings, before they compute.

  Raises:
    DefectError: one of them fails by another error than a `UserError`.
  """
  from plasticity_rl.forks import diagnosis
  from plasticity_rl.run import runner
  from plasticity_rl.training import experiment

  try:
    runner.check(experiment.build(settings))
    diagnosis.plan(settings)
  except UserError as error:
    if '\n' in str(error) or len(str(error)) > _LONGEST_MESSAGE:
      raise DefectError(f'{shown(changes)}: {error}') from error
    return False
  except Exception as error:
    raise DefectError(
      f'{shown(changes)}: {type(error).__name__}: {error}'
    ) from error
  return True


def _is_taken(example: Any) -> bool:
  return resolved(*example) is not None


def _is_built(example: Any) -> bool:
  settings = resolved(*example)
  return settings is not None and built(settings, example[1])


def main(argv: list[str]) -> int:
  """Searches, and prints what was found."""
  cli.refuse_positionals(argv)
  examples, builds = _EXAMPLES.value, _BUILDS.value
  return fuzzing.report(
    (name, fuzzing.run(count, strategy, check))
    for name, count, strategy, check in (
      ('values of any type', examples, configs(), _is_taken),
      ('plausible values', examples, plausible(KINDS), _is_taken),
      ('programs', builds, plausible(), _is_built),
    )
    if count
  )


if __name__ == '__main__':
  cli.run(main)
