"""When an intervention is due that waits for something to happen.

A criterion watches a column of metrics.csv, each seed by itself:

    'plasticity/q/dormant_units/head > 0.5'
    'plasticity/q/srank/dense_1 < 0.5 * initial'   against its first value
    'train/loss > 3 * lowest'                       or 'highest', so far
    'eval/return plateaus'             no new highest value, or
    'eval/return plateaus within 0.1'  none higher by more than that
    'eval/return settles within 0.01'  moves by no more than that

It is met when this holds `patience` times in a row; then the seed's
intervention happens, at most `max_times`, with at least `cooldown_steps`
between.
"""

import dataclasses
import re
from typing import Any

import numpy as np

from plasticity_rl.errors import UserError

_NUMBER = r'[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?'
_COMPARISON = re.compile(
  rf'(?P<metric>[\w/.-]+) (?P<kind>[<>]) (?P<number>{_NUMBER})'
  r'(?: \* (?P<relative>initial|lowest|highest))?'
)
_STILL = re.compile(
  r'(?P<metric>[\w/.-]+) (?P<kind>plateaus|settles)'
  rf'(?: within (?P<number>{_NUMBER}))?'
)


@dataclasses.dataclass(frozen=True)
class Criterion:
  """A criterion, as a config names it.

  Attributes:
    text: as above.
    metric: the column.
    kind: '<', '>', 'plateaus' or 'settles'.
    number: the threshold, or by how much.
    relative: what the threshold is a multiple of: '', 'initial', 'lowest' or
      'highest'.
    patience: how often in a row.
    cooldown_steps: between two interventions on a seed.
    max_times: interventions on a seed.
  """

  text: str
  metric: str
  kind: str
  number: float
  relative: str
  patience: int
  cooldown_steps: int
  max_times: int


def parse(
  text: Any,
  *,
  patience: Any = 1,
  cooldown_steps: Any = 0,
  max_times: Any = 1,
) -> Criterion:
  """Reads a criterion; refuses what is none, in a line."""
  words = ' '.join(text.split()) if isinstance(text, str) else ''
  match = _COMPARISON.fullmatch(words) or _STILL.fullmatch(words)
  if not match:
    raise UserError(
      f'cannot read when={text!r}: write "METRIC > NUMBER", "METRIC < '
      'NUMBER * initial" (or lowest, highest), "METRIC plateaus", or '
      '"METRIC settles within NUMBER"'
    )
  for name, value, low in (
    ('patience', patience, 1),
    ('cooldown_steps', cooldown_steps, 0),
    ('max_times', max_times, 1),
  ):
    if type(value) is not int or value < low:
      raise UserError(
        f'{name} of when={text!r} must be a whole number of at least {low}: '
        f'{value!r}'
      )
  found = match.groupdict()
  return Criterion(
    text=words,
    metric=found['metric'],
    kind=found['kind'],
    number=float(found['number'] or 0),
    relative=found.get('relative') or '',
    patience=patience,
    cooldown_steps=cooldown_steps,
    max_times=max_times,
  )


class CriterionState:
  """A criterion in a run: what it has seen of every seed `[S]`.

  On the host, since metrics come there anyway; saved with each checkpoint.
  """

  def __init__(self, criterion: Criterion, num_seeds: int):
    self.criterion = criterion
    nothing = np.full(num_seeds, np.nan)
    self._seen = {
      'initial': nothing,
      'lowest': nothing,
      'highest': nothing,
      'last': nothing,
      'in_a_row': np.zeros(num_seeds, int),
      'times': np.zeros(num_seeds, int),
      'last_step': np.full(num_seeds, -1),
    }

  def save(self) -> dict[str, list[Any]]:
    """What `restore` takes, for JSON; a NaN is None."""
    return {
      k: [None if v != v else v for v in values.tolist()]
      for k, values in self._seen.items()
    }

  def restore(self, saved: dict[str, list[Any]]) -> None:
    """Goes on from what was saved; copies of one seed share its past."""
    for k, like in self._seen.items():
      values = np.array(
        [np.nan if v is None else v for v in saved[k]], like.dtype
      )
      self._seen[k] = np.broadcast_to(values, like.shape).copy()

  @property
  def fired(self) -> bool:
    """Whether it was met in any seed so far."""
    return bool(self._seen['times'].any())

  def observe(self, step: int, values: np.ndarray) -> list[str]:
    """Looks at one value of each seed; a NaN is not looked at.

    Returns:
      For each seed why its intervention is due, or ''.
    """
    seen, number = self._seen, self.criterion.number
    kind, relative = self.criterion.kind, self.criterion.relative
    known = ~np.isnan(values)
    seen['initial'] = np.where(
      np.isnan(seen['initial']), values, seen['initial']
    )
    highest_before = seen['highest']
    seen['lowest'] = np.fmin(seen['lowest'], values)
    seen['highest'] = np.fmax(seen['highest'], values)
    if kind == 'plateaus':
      reference = highest_before + number
      holds = values <= reference
    elif kind == 'settles':
      reference = seen['last']
      holds = np.abs(values - reference) <= number
    else:
      reference = (
        number * seen[relative] if relative else np.full(values.shape, number)
      )
      holds = values < reference if kind == '<' else values > reference
    seen['last'] = np.where(known, values, seen['last'])
    seen['in_a_row'] = np.where(
      known, np.where(holds, seen['in_a_row'] + 1, 0), seen['in_a_row']
    )
    rested = (seen['last_step'] < 0) | (
      step - seen['last_step'] >= self.criterion.cooldown_steps
    )
    due = (
      known
      & rested
      & (seen['in_a_row'] >= self.criterion.patience)
      & (seen['times'] < self.criterion.max_times)
    )
    why = [
      f'{self.criterion.metric} is {value:.4g}; {self.criterion.text}'
      f' (reference {against:.4g}), {count} in a row'
      if fires
      else ''
      for value, against, count, fires in zip(
        values, reference, seen['in_a_row'], due, strict=True
      )
    ]
    seen['times'] = seen['times'] + due
    seen['last_step'] = np.where(due, step, seen['last_step'])
    seen['in_a_row'] = np.where(due, 0, seen['in_a_row'])
    return why
