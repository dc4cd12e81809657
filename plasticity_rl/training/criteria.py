"""Criteria: conditions on metrics that trigger interventions.

A criterion observes a column of metrics.csv, separately for each seed:

    'plasticity/q/dormant_units/head > 0.5'
    'plasticity/q/srank/dense_1 < 0.5 * initial'   relative to the first value
    'train/loss > 3 * lowest'                      or 'highest', so far
    'eval/return plateaus'             no new highest value
    'eval/return plateaus within 0.1'  no value more than 0.1 above the highest
    'eval/return settles within 0.01'  changes by at most 0.01

A criterion is met when its condition holds `patience` times in a row. Then the
intervention happens to that seed, at most `max_times` times, with at least
`cooldown_steps` steps in between.
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
_STAGNATION = re.compile(
  r'(?P<metric>[\w/.-]+) (?P<kind>plateaus|settles)'
  rf'(?: within (?P<number>{_NUMBER}))?'
)


@dataclasses.dataclass(frozen=True)
class Criterion:
  """A criterion of a config.

  Attributes:
    text: the criterion as in the examples above.
    metric: the column that it observes.
    kind: '<', '>', 'plateaus' or 'settles'.
    number: the threshold, or the tolerance after 'within'.
    relative: 'initial', 'lowest' or 'highest' if the threshold is a multiple of
      that value, else ''.
    patience: number of times in a row that the condition must hold.
    cooldown_steps: smallest number of steps between two interventions on a
      seed.
    max_times: largest number of interventions on a seed.
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
  """Parses a criterion and its options.

  Raises:
    UserError: the text is not a criterion, or an option is out of range.
  """
  words = ' '.join(text.split()) if isinstance(text, str) else ''
  match = _COMPARISON.fullmatch(words) or _STAGNATION.fullmatch(words)
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
  """The state of a criterion in a run, for all seeds `[S]`.

  It is on the host, as metrics are, and every checkpoint saves it.
  """

  def __init__(self, criterion: Criterion, num_seeds: int):
    self.criterion = criterion
    nothing = np.full(num_seeds, np.nan)
    self._observed = {
      'initial': nothing,
      'lowest': nothing,
      'highest': nothing,
      'last': nothing,
      'in_a_row': np.zeros(num_seeds, int),
      'times': np.zeros(num_seeds, int),
      'last_step': np.full(num_seeds, -1),
    }

  def save(self) -> dict[str, list[Any]]:
    """The state for JSON, as `restore` takes it; NaN becomes None."""
    return {
      k: [None if v != v else v for v in values.tolist()]
      for k, values in self._observed.items()
    }

  def restore(self, saved: dict[str, list[Any]]) -> None:
    """Restores a saved state; the state of a single seed is broadcast."""
    for k, like in self._observed.items():
      values = np.array(
        [np.nan if v is None else v for v in saved[k]], like.dtype
      )
      self._observed[k] = np.broadcast_to(values, like.shape).copy()

  @property
  def fired(self) -> bool:
    """Whether it has been met by any seed so far."""
    return bool(self._observed['times'].any())

  def observe(self, step: int, values: np.ndarray) -> list[str]:
    """Observes one value for each seed, and ignores NaN.

    Args:
      step: the current step.
      values: the metric, `[S]`.

    Returns:
      For each seed, the reason why its intervention is due, or ''.
    """
    observed, number = self._observed, self.criterion.number
    kind, relative = self.criterion.kind, self.criterion.relative
    known = ~np.isnan(values)
    observed['initial'] = np.where(
      np.isnan(observed['initial']), values, observed['initial']
    )
    highest_before = observed['highest']
    observed['lowest'] = np.fmin(observed['lowest'], values)
    observed['highest'] = np.fmax(observed['highest'], values)
    if kind == 'plateaus':
      reference = highest_before + number
      holds = values <= reference
    elif kind == 'settles':
      reference = observed['last']
      holds = np.abs(values - reference) <= number
    else:
      reference = (
        number * observed[relative]
        if relative
        else np.full(values.shape, number)
      )
      holds = values < reference if kind == '<' else values > reference
    observed['last'] = np.where(known, values, observed['last'])
    observed['in_a_row'] = np.where(
      known, np.where(holds, observed['in_a_row'] + 1, 0), observed['in_a_row']
    )
    cooled_down = (observed['last_step'] < 0) | (
      step - observed['last_step'] >= self.criterion.cooldown_steps
    )
    due = (
      known
      & cooled_down
      & (observed['in_a_row'] >= self.criterion.patience)
      & (observed['times'] < self.criterion.max_times)
    )
    reasons = [
      f'{self.criterion.metric} is {value:.4g}; {self.criterion.text}'
      f' (reference {against:.4g}), {count} in a row'
      if fires
      else ''
      for value, against, count, fires in zip(
        values, reference, observed['in_a_row'], due, strict=True
      )
    ]
    observed['times'] = observed['times'] + due
    observed['last_step'] = np.where(due, step, observed['last_step'])
    observed['in_a_row'] = np.where(due, 0, observed['in_a_row'])
    return reasons
