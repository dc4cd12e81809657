"""Claims that are decided beforehand: a sentence, and when it counts as shown.

A study file may end with

  CLAIMS = (
    Claim(
      name='lost',
      sentence='Injection restores learning where a head reset does not.',
      rules=(
        Above(Contrast('injection'), 0.5),
        Within(Contrast('head_reset'), 0.5),
      ),
    ),
  )

Each rule is of a quantity with one number a seed (see `quantities`), and is
decided by the 95 % interval of its mean over seeds that every verdict uses
(`statistics.paired_difference`). A claim is *shown* if all of its rules hold,
*opposite* if the interval of one of them contradicts it, else *not shown*;
*unfinished* while a run or a seed is missing that it is about.
"""

import dataclasses
import math
import re
from collections.abc import Sequence

import numpy as np

from plasticity_rl.analysis.study import quantities
from plasticity_rl.analysis.study import study as studies
from plasticity_rl.analysis.study.quantities import Quantity
from plasticity_rl.analysis.verdict import statistics
from plasticity_rl.analysis.verdict.statistics import Interval
from plasticity_rl.errors import UserError

SHOWN, NOT_SHOWN = 'shown', 'not shown'
OPPOSITE, UNFINISHED = 'opposite', 'unfinished'
OUTCOMES = (SHOWN, NOT_SHOWN, OPPOSITE, UNFINISHED)
_NAME = re.compile(r'[a-z0-9_]+')


@dataclasses.dataclass(frozen=True)
class Above:
  """Holds if the whole interval lies above the bound.

  Opposite if the whole of it lies below zero, or below a bound under zero; of a
  `Level`, below the bound.

  Attributes:
    quantity: what is decided on.
    bound: in its units; a margin if it is not zero.
  """

  quantity: Quantity
  bound: float = 0.0

  @property
  def text(self) -> str:
    """The rule in words."""
    return f'{self.quantity.text} > {self.bound:g}'

  def outcome(self, interval: Interval) -> str:
    """Of an interval over seeds."""
    if interval.low > self.bound:
      return SHOWN
    zero = self.quantity.zero
    against = self.bound if zero is None else min(self.bound, zero)
    return OPPOSITE if interval.high < against else NOT_SHOWN


@dataclasses.dataclass(frozen=True)
class Below:
  """The mirror of `Above`: holds if the whole interval lies below the bound."""

  quantity: Quantity
  bound: float = 0.0

  @property
  def text(self) -> str:
    """The rule in words."""
    return f'{self.quantity.text} < {self.bound:g}'

  def outcome(self, interval: Interval) -> str:
    """Of an interval over seeds."""
    if interval.high < self.bound:
      return SHOWN
    zero = self.quantity.zero
    against = self.bound if zero is None else max(self.bound, zero)
    return OPPOSITE if interval.low > against else NOT_SHOWN


@dataclasses.dataclass(frozen=True)
class Within:
  """Holds if the whole interval lies within the margin of zero: no difference.

  Opposite if the whole of it lies beyond the margin, on either side. (At 95 %;
  the usual pair of one-sided tests at 5 % takes the 90 % interval, so this asks
  for more.)

  Attributes:
    quantity: what is decided on.
    margin: positive, in its units.
  """

  quantity: Quantity
  margin: float

  @property
  def text(self) -> str:
    """The rule in words."""
    return f'|{self.quantity.text}| < {self.margin:g}'

  def outcome(self, interval: Interval) -> str:
    """Of an interval over seeds."""
    if -self.margin < interval.low and interval.high < self.margin:
      return SHOWN
    beyond = interval.low > self.margin or interval.high < -self.margin
    return OPPOSITE if beyond else NOT_SHOWN


Rule = Above | Below | Within


@dataclasses.dataclass(frozen=True, kw_only=True)
class Claim:
  """A sentence, and the rules by which runs decide on it.

  Attributes:
    name: of an anchor and a row: small letters, digits and underscores.
    sentence: what is claimed.
    rules: all of which must hold.
    metric: column whose mean is the score; by default that of the fork, or
      eval/return.
    doubt: what would change our mind, a sentence or more.

  Raises:
    UserError: the name is no plain word, there is no sentence or rule, or a
      bound is no number.
  """

  name: str
  sentence: str
  rules: tuple[Rule, ...]
  metric: str = ''
  doubt: str = ''

  def __post_init__(self):
    if not (isinstance(self.name, str) and _NAME.fullmatch(self.name)):
      raise UserError(
        'the name of a claim is of small letters, digits and _, not '
        f'{self.name!r}'
      )
    if not self.sentence:
      raise UserError(f'claim {self.name!r} has no sentence')
    if not isinstance(self.rules, tuple) or not self.rules:
      raise UserError(f'claim {self.name!r}: rules is a tuple of rules')
    for rule in self.rules:
      if not isinstance(rule, Rule):
        raise UserError(
          f'claim {self.name!r}: a rule is Above(...), Below(...) or '
          f'Within(...), not {rule!r}'
        )
      bound = rule.margin if isinstance(rule, Within) else rule.bound
      if not math.isfinite(bound) or isinstance(rule, Within) and bound <= 0:
        raise UserError(
          f'claim {self.name!r}: {rule.text} can never be decided'
        )


@dataclasses.dataclass(frozen=True)
class Finding:
  """What runs say of a rule.

  Attributes:
    rule: the rule.
    interval: of the mean over seeds; NaN where there is none.
    p: two-sided sign-flip p of no difference; of a `Level`, of its bound.
    seeds: how many.
    outcome: one of the four words.
    notes: what is missing, or should be known.
  """

  rule: Rule
  interval: Interval
  p: float
  seeds: int
  outcome: str
  notes: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Judged:
  """A claim with what was found of each of its rules."""

  claim: Claim
  findings: tuple[Finding, ...]

  @property
  def outcome(self) -> str:
    """Unfinished if a rule is; opposite if one is; shown if all are."""
    found = [f.outcome for f in self.findings]
    for word in (UNFINISHED, OPPOSITE, NOT_SHOWN):
      if word in found:
        return word
    return SHOWN

  @property
  def notes(self) -> tuple[str, ...]:
    """Of all rules, each once."""
    return tuple(dict.fromkeys(n for f in self.findings for n in f.notes))


def judge(claim: Claim, study: studies.StudyResults) -> Judged:
  """Decides on a claim; `study` was loaded with its metric."""
  return Judged(claim, tuple(find(rule, study) for rule in claim.rules))


def find(rule: Rule, study: studies.StudyResults) -> Finding:
  """Decides on a rule."""
  none = Interval(math.nan, math.nan, math.nan)
  missing = [f'run {m.name} is {m.state}' for m in study.missing]
  try:
    found = rule.quantity.of(study)
  except UserError as error:
    # It was possible by the study's plan, so that runs are missing.
    notes = (*missing, str(error))
    return Finding(rule, none, math.nan, 0, UNFINISHED, notes)
  notes = missing + [f'missing: {text}' for text in found.lacking]
  values, seeds = found.values, len(found.seeds)
  if not seeds or not np.isfinite(values).all():
    reason = 'no seed has it' if not seeds else 'not a number for some seed'
    notes = (*notes, f'{rule.quantity.text}: {reason}')
    return Finding(rule, none, math.nan, seeds, UNFINISHED, notes)
  interval = statistics.paired_difference(values)
  zero = rule.quantity.zero
  null = rule.bound if zero is None and not isinstance(rule, Within) else 0.0
  p = statistics.sign_flip_test(values - null)
  outcome = UNFINISHED if notes else rule.outcome(interval)
  if seeds < statistics.STUDENT_BELOW and statistics.ties(values):
    outcome = UNFINISHED if notes else NOT_SHOWN
    notes.append(f'{seeds} equal values say nothing of how seeds differ')
  elif seeds < statistics.STUDENT_BELOW:
    notes.append(
      f"{seeds} seeds: Student's interval, which trusts in normality"
    )
  return Finding(rule, interval, p, seeds, outcome, tuple(notes))


def columns(claims: Sequence[Claim]) -> dict[str, str]:
  """Columns of metrics.csv that claims read, each with the claim's name."""
  found = {}
  for claim in claims:
    read = [c for r in claim.rules for c in quantities.columns(r.quantity)]
    found |= {c: claim.name for c in (claim.metric, *read) if '/' in c}
  return {
    c: n for c, n in found.items() if not c.startswith(quantities.AT_FORK)
  }


def listed(module: object, source: str) -> tuple[Claim, ...]:
  """`CLAIMS` of a study file; () if it has none.

  Args:
    module: the file. There, `CLAIMS` is a tuple, or a function from the variant
      to one.
    source: its name, with the variant.

  Raises:
    UserError: it is no tuple of claims, or two have one name.
  """
  where, _, variant = source.partition(':')
  found = getattr(module, 'CLAIMS', ())
  if callable(found):
    found = found(variant)
  if not isinstance(found, tuple) or not all(
    isinstance(claim, Claim) for claim in found
  ):
    raise UserError(f'{where}: CLAIMS is a tuple of Claim(...): {found!r}')
  names = [claim.name for claim in found]
  for name in names:
    if names.count(name) > 1:
      raise UserError(f'{where}: two claims are called {name!r}')
  return found


def check(claims: Sequence[Claim], plan: studies.StudyResults) -> None:
  """Refuses claims that the runs of a study could not decide on.

  Args:
    claims: of the study's file.
    plan: what the study would come to; its numbers do not matter.

  Raises:
    UserError: a rule is about an arm, a place or a step that the study does
      not have.
  """
  for claim in claims:
    for rule in claim.rules:
      try:
        rule.quantity.of(plan)
      except UserError as error:
        raise UserError(f'claim {claim.name!r}: {error}') from None
