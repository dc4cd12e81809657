"""Sweeps as lists of overrides: the argument `h` of a study's `get_sweep`.

A sweep is a list of dicts, from keys of the config to values. Three functions
combine them:

  h.product(h.sweep('optimizer.learning_rate', [1e-4, 3e-4]),
            h.sweep('seed', [1, 2, 3]))         # 6 runs
  h.zip(h.sweep('network.hidden', [(64,), (256,)]),
        h.sweep('optimizer.learning_rate', [3e-4, 1e-4]))   # 2 runs
  h.chain(one_sweep, another)                   # one, then the other

`h.arm` gives several overrides one name. Reports compare arms.
"""

import ast
import builtins
import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from plasticity_rl.errors import UserError

Overrides = Mapping[str, Any]
Sweep = list[dict[str, Any]]
ARM = 'arm'  # A key among overrides; no config has it.


class Arm(NamedTuple):
  """Overrides under one name."""

  name: str
  overrides: dict[str, Any]


def sweep(key: str, values: Iterable[Any]) -> Sweep:
  """One run for each value of a config key.

  Args:
    key: the dotted key, without `config.`.
    values: at least one.

  Returns:
    The runs.

  Raises:
    UserError: there are no values, or a value is there twice.
  """
  if isinstance(values, str):
    raise UserError(f'the sweep of {key} needs a list of values: {values!r}')
  values = list(values)
  if not values:
    raise UserError(f'the sweep of {key} is empty')
  key = key.removeprefix('config.')
  if key == ARM:
    raise UserError(
      f'{ARM!r} is no key of the config: arms are made by h.arm, in the '
      'study file'
    )
  return _unlike([{key: value} for value in values], f'sweep of {key}')


def arm(name: str, overrides: Overrides | None = None) -> Sweep:
  """One run with several overrides; its folder and reports use its name.

  Raises:
    UserError: the name is not a string.
  """
  if not isinstance(name, str):
    raise UserError(f'h.arm needs a name: {name!r}')
  return [{ARM: Arm(name, dict(overrides or {}))}]


def product(*sweeps: Sweep) -> Sweep:
  """Every combination; the last sweep varies fastest.

  Raises:
    UserError: two sweeps set the same key.
  """
  return [_merge(parts) for parts in itertools.product(*sweeps)]


def zip(*sweeps: Sweep) -> Sweep:  # Called as h.zip.
  """Combines the first runs of all sweeps, the second runs, and so on.

  Raises:
    UserError: the sweeps differ in length, or set the same key.
  """
  lengths = [len(one) for one in sweeps]
  if len(set(lengths)) > 1:
    found = ' and '.join(map(str, lengths))
    raise UserError(f'h.zip needs sweeps of one length, found {found}')
  return [_merge(parts) for parts in builtins.zip(*sweeps, strict=True)]


def chain(*sweeps: Sweep) -> Sweep:
  """One sweep after the other.

  Raises:
    UserError: a run is there twice.
  """
  return _unlike(list(itertools.chain(*sweeps)), 'h.chain')


def flatten(overrides: Overrides) -> tuple[str, dict[str, Any]]:
  """The arm's name ('' for none) and all overrides of a run.

  Raises:
    UserError: an override is set by the arm and by the sweep.
  """
  rest = {k: v for k, v in overrides.items() if k != ARM}
  name, of_arm = overrides.get(ARM, ('', {}))
  for key in of_arm:
    if key in rest:
      raise UserError(
        f'the sweep sets {key} twice: in arm {name!r} and by itself'
      )
  return name, {**of_arm, **rest}


def check(runs: Any) -> Sweep:
  """Checks the value that `get_sweep` returned.

  Raises:
    UserError: it is not a sweep, it is empty, or a run is there twice.
  """
  if not isinstance(runs, list) or not all(isinstance(r, dict) for r in runs):
    raise UserError(
      'get_sweep must return a list of dicts from config keys to values, '
      f'not {type(runs).__name__}'
    )
  if not runs:
    raise UserError('the sweep is empty: get_sweep returned no runs')
  return _unlike(runs, 'sweep')


def override(runs: Sweep, axes: Mapping[str, Sequence[Any]]) -> Sweep:
  """Replaces or adds an axis for each key of `axes`.

  Raises:
    UserError: an axis has no values, or a value twice.
  """
  for key, values in axes.items():
    rest = []
    for run in runs:
      left = {k: v for k, v in run.items() if k != key}
      if left not in rest:
        rest.append(left)
    runs = product(rest, sweep(key, values))
  return runs


def parse_values(text: str) -> list[Any]:
  """Parses values such as `1e-4,3e-4`, `relu,tanh` or `(32,),(64, 64)`.

  A value that is not a Python literal is a string.
  """
  if not text.strip():
    return []
  try:
    return list(ast.literal_eval(f'({text},)'))
  except (SyntaxError, ValueError):
    return [_literal(part) for part in _split(text)]


def canonical(value: Any) -> str:
  """A text that is equal for equal values: (1,) equals [1], 1.0 is not 1."""
  return json.dumps(_with_text_keys(value), sort_keys=True, default=str)


def _with_text_keys(value):
  """A value whose dicts have keys that can be sorted, and 1 is not '1'."""
  if isinstance(value, dict):
    return {
      k if isinstance(k, str) else f'{type(k).__name__} {k!r}': (
        _with_text_keys(v)
      )
      for k, v in value.items()
    }
  if isinstance(value, (tuple, list)):
    return [_with_text_keys(one) for one in value]
  return value


def _literal(text):
  try:
    return ast.literal_eval(text.strip())
  except (SyntaxError, ValueError):
    return text.strip()


def _split(text):
  """Splits a text at commas outside of brackets and quotes."""
  parts, depth, quote = [''], 0, ''
  for sign in text:
    if quote:
      quote = '' if sign == quote else quote
    elif sign in '\'"':
      quote = sign
    depth += (sign in '([{') - (sign in ')]}') if not quote else 0
    if sign == ',' and not depth and not quote:
      parts.append('')
    else:
      parts[-1] += sign
  return parts


def _merge(parts):
  merged = {}
  for part in parts:
    for key, value in part.items():
      if key in merged:
        raise UserError(f'the sweep sets {key} twice in one run')
      merged[key] = value
  return merged


def _unlike(runs, what):
  seen = {}
  for i, run in enumerate(runs):
    same = seen.setdefault(canonical(run), i)
    if same != i:
      found = ', '.join(f'{k}={v!r}' for k, v in run.items()) or 'no override'
      raise UserError(
        f'{what}: runs {same + 1} and {i + 1} have the same overrides: {found}'
      )
  return runs
