"""Is the agent losing plasticity? Rules, on numbers alone.

The primary comparison is the injection arm against the control arm, paired by
seed. The other arms are secondary and say what the cure may have been.
"""

import dataclasses
import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from plasticity_rl.analysis import statistics
from plasticity_rl.errors import UserError

LOSING = 'losing plasticity'
HURTS = 'injection hurts'
NO_EVIDENCE = 'no evidence of plasticity loss'
UNDECIDED = 'undecided'
ALPHA = 0.05


@dataclasses.dataclass(frozen=True)
class ArmResult:
  """One arm against control, paired by seed.

  Attributes:
    arm: its name.
    mean: of its scores over seeds.
    effect: mean paired difference to control, in units of the metric.
    low: lower bound of the effect's interval; None for a single seed.
    high: upper bound.
    p: two-sided sign-flip test.
    p_holm: adjusted over the secondary arms; None for the primary arm.
    differences: one a seed.
  """

  arm: str
  mean: float
  effect: float
  low: float | None
  high: float | None
  p: float
  p_holm: float | None
  differences: tuple[float, ...]

  @property
  def helps(self) -> bool:
    """Interval above zero and p (adjusted where it has to be) under 5 %."""
    p = self.p if self.p_holm is None else self.p_holm
    return self.low is not None and self.low > 0 and p < ALPHA

  @property
  def hurts(self) -> bool:
    p = self.p if self.p_holm is None else self.p_holm
    return self.high is not None and self.high < 0 and p < ALPHA


@dataclasses.dataclass(frozen=True)
class Verdict:
  """The answer, what it rests on, and what to know when reading it.

  Attributes:
    verdict: one of LOSING, HURTS, NO_EVIDENCE, UNDECIDED.
    arm: the primary arm; None where no arm was an injection.
    effect: its mean paired difference to control, in units of the metric.
    low: lower bound of the effect's 95 % interval.
    high: upper bound.
    p: two-sided sign-flip test of the primary comparison.
    seeds: how many.
    margin: the smallest gain that matters, in units of the metric.
    metric: the column that was compared.
    control_mean: mean score of the control arm.
    arms: every arm but control, the primary one first.
    reason: why this verdict, in a sentence.
    notes: what else the reader should know, a sentence each.
    seeds_needed: about how many seeds would decide; None unless undecided.
    replicates: the "seeds" are one network continued with different keys.
  """

  verdict: str
  arm: str | None
  effect: float | None
  low: float | None
  high: float | None
  p: float | None
  seeds: int
  margin: float
  metric: str
  control_mean: float
  arms: tuple[ArmResult, ...]
  reason: str
  notes: tuple[str, ...]
  seeds_needed: int | None
  replicates: bool

  def to_json(self) -> dict[str, Any]:
    """Plain values for `verdict.json`; None where there is no number."""
    record = dataclasses.asdict(self)
    record['arms'] = [
      dataclasses.asdict(a) | {'differences': list(a.differences)}
      for a in self.arms
    ]
    record['notes'] = list(self.notes)
    return record | {'statement': self.statement}

  @property
  def numbers(self) -> str:
    """For example "+0.53 [+0.38, +0.70], p = 0.002, 10 seeds"."""
    if self.effect is None:
      return _count(self)
    return (
      f'{interval_text(self.effect, self.low, self.high)}, '
      f'{p_text(self.p)}, {_count(self)}'
    )

  @property
  def statement(self) -> str:
    """The verdict as one plain sentence."""
    if self.effect is None:
      return self.reason
    scope = ', for this network only' if self.replicates else ''
    after = f'mean {self.metric} after {self.arm} against control'
    numbers = f'{after}: {self.numbers}'
    return {
      LOSING: f'The agent is losing plasticity{scope}: {numbers}.',
      HURTS: f'The injection hurts{scope}: {numbers}.',
      NO_EVIDENCE: (
        f'No evidence of plasticity loss: a gain above the margin'
        f' ({self.margin:g}) is excluded; {numbers}.'
      ),
      UNDECIDED: f'Undecided{scope}: {numbers}.',
    }[self.verdict]

  @property
  def line(self) -> str:
    """What follows `verdict: ` on the terminal."""
    scope = ', for this network only' if self.replicates else ''
    if self.effect is None:
      return f'{self.verdict} ({self.reason})'
    line = (
      f'{self.verdict}{scope} ({self.arm} - control = {self.numbers},'
      f' {self.metric})'
    )
    if self.seeds_needed:
      line += f'; about {self.seeds_needed} seeds would decide'
    return line

  def mean_text(self, mean: float) -> str:
    """A mean score, with the decimals that the first interval deserves."""
    first = self.arms[0]
    if first.low is None:
      return short(mean)
    return f'{mean:,.{_places(first.low, first.high, first.effect)}f}'

  def table(self) -> str:
    """The arms as text, for the terminal."""
    rows = [('arm', 'mean', 'difference [95 %]', 'p', 'p (Holm)')]
    rows.append(('control', self.mean_text(self.control_mean), '', '', ''))
    for a in self.arms:
      holm = '' if a.p_holm is None else f'{a.p_holm:.3g}'
      if a.arm == self.arm:
        holm = '(primary)'
      difference = interval_text(a.effect, a.low, a.high)
      mean = self.mean_text(a.mean)
      rows.append((a.arm, mean, difference, f'{a.p:.3g}', holm))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return '\n'.join(
      '  '.join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip()
      for row in rows
    )


def short(value: float | None, digits: int = 3) -> str:
  """A number as a person would write it; a dash for None."""
  if value is None or math.isnan(value):
    return '-'
  if value == 0:
    return '0'
  places = max(0, digits - 1 - math.floor(math.log10(abs(value))))
  return f'{value:,.{places}f}' if places < 7 else f'{value:.{digits - 1}e}'


def interval_text(effect: float, low: float | None, high: float | None) -> str:
  """A signed estimate and its bounds, with the digits its width deserves."""
  # NaN is how `statistics` says that a single seed has no interval.
  if low is None or high is None or math.isnan(low) or math.isnan(high):
    return f'{"+" if effect >= 0 else ""}{short(effect)}'
  places = _places(low, high, effect)
  # Adding 0.0 turns the "-0" that rounding leaves into "0".
  mid, lo, hi = (
    f'{round(v, places) + 0.0:+,.{places}f}' for v in (effect, low, high)
  )
  return f'{mid} [{lo}, {hi}]'


def _places(low: float, high: float, effect: float) -> int:
  """Decimals that leave two or three digits of an interval's width."""
  scale = (high - low) or abs(effect) or 1.0
  return min(8, max(0, 2 - math.ceil(math.log10(scale))))


def p_text(p: float) -> str:
  """For example 'p = 0.02'."""
  return 'p < 0.001' if p < 0.001 else f'p = {p:.2g}'


def _count(verdict: Verdict) -> str:
  word = 'replicate' if verdict.replicates else 'seed'
  return f'{verdict.seeds} {word}{"" if verdict.seeds == 1 else "s"}'


def _checked(
  name: str, scores: Sequence[float], seeds: Sequence[int]
) -> np.ndarray:
  """Scores as an array, one a seed and all finite."""
  values = np.asarray(scores, float)
  if values.shape != (len(seeds),):
    raise UserError(
      f'arm {name!r} has {values.size} scores for {len(seeds)} seeds'
    )
  bad = ~np.isfinite(values)
  if bad.any():
    at = int(np.argmax(bad))
    raise UserError(
      f'arm {name!r}, seed {seeds[at]}: the score is {values[at]}; a verdict'
      ' needs finite scores'
    )
  return values


def _compare(name: str, control: np.ndarray, arm: np.ndarray) -> ArmResult:
  differences = arm - control
  interval = statistics.paired_difference(differences)
  bounds = [None if math.isnan(b) else b for b in interval[1:]]
  return ArmResult(
    arm=name,
    mean=float(np.mean(arm)),
    effect=interval.estimate,
    low=bounds[0],
    high=bounds[1],
    p=statistics.sign_flip_test(differences),
    p_holm=None,
    differences=tuple(float(d) for d in differences),
  )


def _decide(
  result: ArmResult, seeds: int, margin: float, replicates: bool
) -> tuple[str, str]:
  """The verdict on the primary comparison, and why."""
  smallest = statistics.smallest_p(seeds)
  m = f'{margin:g}'
  if seeds == 1:
    return UNDECIDED, 'A single seed says nothing about other seeds.'
  if replicates:
    return UNDECIDED, (
      'One network was continued several times: the effect holds for this'
      ' network only and says nothing about other seeds.'
    )
  if result.helps:
    return LOSING, (
      'The interval lies above zero and the sign-flip test gives p < 0.05.'
    )
  if result.hurts:
    return HURTS, (
      'The interval lies below zero and the sign-flip test gives p < 0.05.'
    )
  if result.high < margin:
    return NO_EVIDENCE, f'The interval excludes a gain larger than {m}.'
  if result.low > 0 or result.high < 0:
    if smallest >= ALPHA:
      return UNDECIDED, (
        f'The interval excludes zero, but with {seeds} seeds the sign-flip'
        f' test cannot give less than p = {smallest:.3g}.'
      )
    return UNDECIDED, (
      'The interval excludes zero, but the sign-flip test does not agree'
      f' ({p_text(result.p)}).'
    )
  why = f'The interval holds both zero and a gain larger than {m}.'
  if smallest >= ALPHA:
    why += (
      f' With {seeds} seeds the sign-flip test cannot give less than'
      f' p = {smallest:.3g}: 6 seeds are the fewest that can show a loss.'
    )
  return UNDECIDED, why


def _notes(
  verdict: str,
  primary: ArmResult | None,
  secondary: Sequence[ArmResult],
  injections: Collection[str],
  seeds: int,
  margin: float,
) -> tuple[str, ...]:
  notes = []
  helpful = [a.arm for a in secondary if a.helps and a.arm not in injections]
  if primary is not None and helpful and not primary.helps:
    names = ' and '.join(helpful)
    notes.append(
      f'{names} helped and the injection did not: the gain is not'
      ' attributable to plasticity.'
    )
  if verdict == LOSING and primary.effect < margin:
    notes.append(f'The gain is real but smaller than the margin ({margin:g}).')
  if primary is not None and not any(primary.differences):
    notes.append(
      'Every paired difference is exactly zero: did the injection happen?'
    )
  least = len(secondary) * statistics.smallest_p(seeds)
  if secondary and seeds > 1 and least >= ALPHA:
    notes.append(
      f'With {seeds} seeds and {len(secondary)} secondary arms, no adjusted p'
      f' can be below {min(1.0, least):.2g}.'
    )
  return tuple(notes)


def assess(
  control: Sequence[float],
  arms: Mapping[str, Sequence[float]],
  *,
  margin: float,
  metric: str = 'eval/return',
  primary: str | None = 'injection',
  injections: Collection[str] = (),
  seeds: Sequence[int] | None = None,
  replicates: bool = False,
) -> Verdict:
  """Judges what came after a fork.

  Losing plasticity: the primary arm's interval lies above zero and its
  sign-flip p is under 0.05. Injection hurts: the mirror. No evidence of
  plasticity loss: the interval excludes a gain larger than the margin. Else
  undecided; always so for a single seed or network.

  Args:
    control: mean score after the fork of the control arm, one a seed.
    arms: the same of every other arm, in the same order of seeds.
    margin: the smallest gain that matters, in units of the metric.
    metric: what the scores are, for the text.
    primary: the injection arm; None if there is none.
    injections: other arms that are variants of injection.
    seeds: their names, for messages.
    replicates: whether the "seeds" are one network continued several times.

  Returns:
    The verdict.

  Raises:
    UserError: a score that is not finite, arms of different lengths, no arm
      at all, or a margin that is not positive.
  """
  count = np.size(control)
  seeds = list(range(count)) if seeds is None else list(seeds)
  if not arms:
    raise UserError('there is no arm to compare with control')
  if not count:
    raise UserError("arm 'control' has no seed")
  if not (math.isfinite(margin) and margin > 0):
    raise UserError(f'margin must be a positive number, found {margin}')
  base = _checked('control', control, seeds)
  results = {
    name: _compare(name, base, _checked(name, scores, seeds))
    for name, scores in arms.items()
  }
  first = results.pop(primary, None) if primary is not None else None
  adjusted = statistics.holm({n: r.p for n, r in results.items()})
  secondary = [
    dataclasses.replace(r, p_holm=adjusted[n]) for n, r in results.items()
  ]
  if first is None:
    verdict = UNDECIDED
    reason = 'No arm was an injection, so plasticity was not tested.'
  else:
    verdict, reason = _decide(first, count, margin, replicates)
  needed = None
  if first is not None and verdict == UNDECIDED and not replicates:
    needed = statistics.seeds_to_decide(first.differences, margin)
    if needed:
      reason += f' About {needed} seeds would decide.'
  return Verdict(
    verdict=verdict,
    arm=first.arm if first else None,
    effect=first.effect if first else None,
    low=first.low if first else None,
    high=first.high if first else None,
    p=first.p if first else None,
    seeds=count,
    margin=float(margin),
    metric=metric,
    control_mean=float(np.mean(base)),
    arms=((first,) if first else ()) + tuple(secondary),
    reason=reason,
    notes=_notes(verdict, first, secondary, injections, count, margin),
    seeds_needed=needed,
    replicates=bool(replicates or count == 1),
  )
