"""How a config names an intervention: `label=name(option=value, ...)`.

One line of text, so that it can be given on the command line, swept over, and
read in a table: `'injection'`, `'reset(scope="head", every_steps=20_000)'`,
`'head_reset=reset(scope="head")'`. Values are Python literals. An arm of a fork
may also go on with other settings:
`'c_chain=control(settings={"regularizer.c_chain": 0.01})'`.
"""

import ast
import dataclasses
import re
from collections.abc import Mapping
from typing import Any

from plasticity_rl import aliases
from plasticity_rl.errors import UserError
from plasticity_rl.errors import shown

TRIGGERS = ('at_steps', 'every_steps', 'every_updates', 'when')
# What goes with `when`.
PATIENCE = ('patience', 'cooldown_steps', 'max_times')
SETTINGS = 'settings'
LONGEST_LABEL = 100
_LABEL = re.compile(r'\A\s*([A-Za-z0-9_.-]+)\s*=(?!=)(.*)\Z', re.DOTALL)


@dataclasses.dataclass(frozen=True)
class Expression:
  """A parsed expression.

  Attributes:
    label: what the arm or event is called; names its folder.
    name: of the intervention.
    options: for its factory.
    triggers: when it happens: of `TRIGGERS` and `PATIENCE`.
    text: the intervention without label, triggers and settings.
    scheduled: the same with its triggers, as `config.interventions` takes it.
    source: the same with its settings as well.
    settings: of an arm of a fork: keys of the config, with the values that they
      have from then on.
  """

  label: str
  name: str
  options: dict[str, Any]
  triggers: dict[str, Any]
  text: str
  scheduled: str
  source: str
  settings: Mapping[str, Any]


def parse(text: str) -> Expression:
  """Parses one expression; refuses what is not one in a line."""
  if not isinstance(text, str):
    raise UserError(
      f'an intervention is text such as "reset(scope=\'head\')", not {text!r}'
    )
  match = _LABEL.match(text)
  label, body = match.groups() if match else (None, text)
  if label is not None and len(label) > LONGEST_LABEL:
    raise UserError(
      f'the label {shown(label, 40)} has {len(label)} letters, of which '
      f'{LONGEST_LABEL} are possible: it names a folder'
    )
  if label in ('.', '..'):
    raise UserError(f'the label {label!r} cannot name a folder: {text!r}')
  try:
    node = ast.parse(body.strip(), mode='eval').body
    call = node if isinstance(node, ast.Call) else None
    named = call.func if call else node
    if not isinstance(named, ast.Name):
      raise ValueError('there is no name')
    name = named.id
    if call and call.args:
      raise ValueError('options are given by name')
    options = {}
    for keyword in call.keywords if call else ():
      if keyword.arg is None:
        raise ValueError('options are given by name')
      if keyword.arg in options:
        raise ValueError(f'{keyword.arg} is there twice')
      options[keyword.arg] = ast.literal_eval(keyword.value)
  except (SyntaxError, ValueError, TypeError) as error:
    raise UserError(
      f'cannot read the intervention {text!r}: write name or '
      f'name(option=value) with plain values ({error})'
    ) from None
  triggers = {k: options.pop(k) for k in (*TRIGGERS, *PATIENCE) if k in options}
  changed = _settings(text, options)
  label = label or name
  name = aliases.INTERVENTIONS.get(name, name)
  scheduled = {**options, **triggers}
  return Expression(
    label,
    name,
    options,
    triggers,
    _call(name, options),
    _call(name, scheduled),
    _call(name, scheduled | ({SETTINGS: changed} if changed else {})),
    changed,
  )


def _settings(text: str, options: dict[str, Any]) -> dict[str, Any]:
  """Takes the settings of an arm out of its options."""
  if SETTINGS not in options:
    return {}
  found = options.pop(SETTINGS)
  if not (
    isinstance(found, dict)
    and found
    and all(isinstance(key, str) for key in found)
  ):
    raise UserError(
      f'{text!r}: settings are {{"section.key": value}}, not {found!r}'
    )
  return found


def _call(name: str, options: Mapping[str, Any]) -> str:
  inner = ', '.join(f'{k}={v!r}' for k, v in options.items())
  return f'{name}({inner})' if inner else name
