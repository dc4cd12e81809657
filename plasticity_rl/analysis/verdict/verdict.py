"""A verdict: the answer, its numbers, and both in words."""

import dataclasses
from typing import Any

from plasticity_rl.analysis import wording

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
    p_holm: the larger of `p` and `p_bootstrap`, adjusted over the secondary
      arms; None for the primary arm.
    differences: one a seed.
    p_bootstrap: two-sided, by the studentised bootstrap; None below 6 seeds.
  """

  arm: str
  mean: float
  effect: float
  low: float | None
  high: float | None
  p: float
  p_holm: float | None
  differences: tuple[float, ...]
  p_bootstrap: float | None = None

  @property
  def p_larger(self) -> float:
    """The larger p; from 6 seeds on under 5 % if the interval leaves zero."""
    return max(self.p, self.p_bootstrap or 0.0)

  @property
  def helps(self) -> bool:
    """Interval above zero and p (adjusted where it has to be) under 5 %."""
    return self.low is not None and self.low > 0 and self._is_sure

  @property
  def hurts(self) -> bool:
    """The mirror of `helps`."""
    return self.high is not None and self.high < 0 and self._is_sure

  @property
  def _is_sure(self) -> bool:
    p = self.p_larger if self.p_holm is None else self.p_holm
    return p < ALPHA


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
    seeds_needed_high: the same if the spread is as large as it may be; None if
      more than can be said.
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
  seeds_needed_high: int | None = None

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
      f'{wording.interval(self.effect, self.low, self.high)}, '
      f'{wording.p_value(self.p)}, {_count(self)}'
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
      count = wording.about(self.seeds_needed, self.seeds_needed_high)
      line += f'; {count} seeds would decide'
    return line

  def mean_text(self, mean: float) -> str:
    """A mean score, with the decimals that the first interval deserves."""
    first = self.arms[0]
    if first.low is None:
      return wording.short(mean)
    return f'{mean:,.{wording.places(first.low, first.high, first.effect)}f}'

  def table(self) -> str:
    """The arms as text, for the terminal."""
    rows = [('arm', 'mean', 'difference [95 %]', 'p', 'p (Holm)')]
    rows.append(('control', self.mean_text(self.control_mean), '', '', ''))
    for a in self.arms:
      holm = '' if a.p_holm is None else f'{a.p_holm:.3g}'
      if a.arm == self.arm:
        holm = '(primary)'
      difference = wording.interval(a.effect, a.low, a.high)
      mean = self.mean_text(a.mean)
      rows.append((a.arm, mean, difference, f'{a.p:.3g}', holm))
    return wording.aligned(rows)


def _count(verdict: Verdict) -> str:
  word = 'replicate' if verdict.replicates else 'seed'
  return f'{verdict.seeds} {word}{"" if verdict.seeds == 1 else "s"}'
