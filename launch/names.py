"""Names of run folders: readable, and made only of the run's overrides.

They do not depend on the rest of the sweep, so a run keeps its folder when an
axis is added or narrowed.
"""

import hashlib
import re
from typing import Any

from . import sweep

LONGEST = 96
_PLAIN = re.compile(r'[A-Za-z0-9_.+-]+')


def of(overrides: sweep.Overrides) -> str:
  """For example `injection,name=minatar_breakout,learning_rate=0.0003`.

  Characters that a folder's name cannot have are dropped, and long names are
  shortened; then a hash of all overrides makes the name unique.

  Raises:
    UserError: an override is set by the arm and by the sweep.
  """
  arm, _ = sweep.flatten(overrides)
  rest = {k: v for k, v in overrides.items() if k != sweep.ARM}
  leaves = [key.rsplit('.', 1)[-1] for key in rest]
  parts = [_word(arm)] if arm else []
  for (key, value), leaf in zip(rest.items(), leaves, strict=True):
    key = leaf if leaves.count(leaf) == 1 else key
    parts.append(f'{key}={_word(_text(value))}')
  name = ','.join(parts) or 'all'
  # The overrides of an arm are not in the name: `study` refuses two different
  # arms of the same name.
  if all(map(_is_plain, rest.values())) and len(name) <= LONGEST:
    return name
  digest = hashlib.sha256(sweep.canonical(rest).encode()).hexdigest()[:8]
  return f'{name[: LONGEST - 9].rstrip(",.=_-")}-{digest}'


def _text(value: Any) -> str:
  if isinstance(value, float):
    return f'{value:g}' if float(f'{value:g}') == value else repr(value)
  if isinstance(value, (tuple, list)):
    return '-'.join(_text(v) for v in value) or 'none'
  return str(value)


def _is_plain(value):
  """Whether the text of a value in a name is unique."""
  if isinstance(value, (tuple, list)):
    return all(type(v) is int and v >= 0 for v in value)
  return bool(_PLAIN.fullmatch(_text(value)))


def _word(text):
  return '_'.join(_PLAIN.findall(text)) or 'empty'
