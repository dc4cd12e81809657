"""Arm and seed of a run, by its name."""

import re

from plasticity_rl.errors import UserError

_HOW = "give --names, such as --names='{arm}_seed{seed}' (* is anything)"
# 'seed 3', 's3' and the like, not inside a word; the last of a name counts.
_SEED = re.compile(r'(?<![a-z])(?:seed|s)[-_= ]*(\d+)(?!\d)', re.IGNORECASE)
_NUMBER = re.compile(r'(?<![\d.])(\d+)(?![\d.])')
# ENVIRONMENT__ARM__SEED__TIME, as CleanRL calls runs.
_CLEANRL = re.compile(r'(?:.*/)?[^/]+?__(?P<arm>[^/]+)__(?P<seed>\d+)__\d{9,}')
_SEPARATORS = ' -_=/.,'


def pattern(text: str) -> re.Pattern[str]:
  """A pattern of run names as a regular expression.

  Args:
    text: with `{arm}` once, `{seed}` at most once, and `*` for anything.

  Raises:
    UserError: other things in braces, or no arm.
  """
  parts = re.split(r'(\{[^}]*\}|\*)', text)
  known = {'{arm}': '(?P<arm>.+?)', '{seed}': r'(?P<seed>\d+)', '*': '.*?'}
  for part in parts:
    if part.startswith('{') and (part not in known or parts.count(part) > 1):
      raise UserError(
        f'--names has {part} in {text!r}; it takes {{arm}} and {{seed}} once'
        ' each, and * for anything'
      )
  if '{arm}' not in parts:
    raise UserError(f'--names has no {{arm}} in {text!r}')
  return re.compile(''.join(known.get(p, re.escape(p)) for p in parts))


def parse(name: str, names: str | None) -> tuple[str, int]:
  """Arm and seed of a run.

  Without a pattern the seed is the number after the last "seed" or "s", or
  else the last number, and the arm is what else there is. Names as CleanRL
  gives them are known.

  >>> parse('control/seed_3', None)
  ('control', 3)
  >>> parse('CartPole-v1__injection__7__1700000000', None)
  ('injection', 7)
  >>> parse('try 2: control #3', '*: {arm} #{seed}')
  ('control', 3)

  Args:
    name: of the run.
    names: pattern of run names; see `pattern`.

  Raises:
    UserError: the name does not tell both.
  """
  if names is not None:
    found = pattern(names).fullmatch(name)
    if not found:
      raise UserError(f'--names={names} does not fit the run {name!r}')
    if 'seed' not in found.groupdict():
      raise UserError(f'--names has no {{seed}} in {names!r}')
    return found['arm'], int(found['seed'])
  found = _CLEANRL.fullmatch(name)
  if found:
    return found['arm'], int(found['seed'])
  numbers = list(_SEED.finditer(name)) or list(_NUMBER.finditer(name))
  if not numbers:
    raise UserError(f'no seed in the name of the run {name!r}: {_HOW}')
  last = numbers[-1]
  parts = (name[: last.start()], name[last.end() :])
  arm = '/'.join(p for p in (x.strip(_SEPARATORS) for x in parts) if p)
  if not arm:
    raise UserError(f'no arm in the name of the run {name!r}: {_HOW}')
  return arm, int(last[1])


def arm(name: str, names: str | None) -> str:
  """The arm of a run whose seeds are known otherwise."""
  if names is None:
    return name
  found = pattern(names).fullmatch(name)
  if not found:
    raise UserError(f'--names={names} does not fit the run {name!r}')
  return found['arm']
