"""Is the agent losing plasticity? Rules, on numbers alone.

The primary comparison is the injection arm against the control arm, paired by
seed. The other arms are secondary and say what the cure may have been.
"""

import dataclasses
import math
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from plasticity_rl.analysis import wording
from plasticity_rl.analysis.verdict import statistics
from plasticity_rl.analysis.verdict.verdict import ALPHA
from plasticity_rl.analysis.verdict.verdict import HURTS
from plasticity_rl.analysis.verdict.verdict import LOSING
from plasticity_rl.analysis.verdict.verdict import NO_EVIDENCE
from plasticity_rl.analysis.verdict.verdict import UNDECIDED
from plasticity_rl.analysis.verdict.verdict import ArmResult
from plasticity_rl.analysis.verdict.verdict import Verdict
from plasticity_rl.errors import UserError

FEW_CONFIDENCE = 0.99  # Of the interval of 3 to 5 seeds, to exclude the margin.


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
  low, high, bootstrap = (
    None if math.isnan(x) else x
    for x in (*interval[1:], statistics.bootstrap_test(differences))
  )
  return ArmResult(
    arm=name,
    mean=float(np.mean(arm)),
    effect=interval.estimate,
    low=low,
    high=high,
    p=statistics.sign_flip_test(differences),
    p_holm=None,
    differences=tuple(float(d) for d in differences),
    p_bootstrap=bootstrap,
  )


def _decide(
  result: ArmResult | None, seeds: int, margin: float, replicates: bool
) -> tuple[str, str]:
  """The verdict on the primary comparison, and why."""
  if result is None:
    return UNDECIDED, 'No arm was an injection, so plasticity was not tested.'
  if seeds == 1:
    return UNDECIDED, 'A single seed says nothing about other seeds.'
  if replicates:
    return UNDECIDED, (
      'One network was continued several times: the effect holds for this'
      ' network only and says nothing about other seeds.'
    )
  if not any(result.differences):
    return UNDECIDED, (
      'Every paired difference is exactly zero: the score is saturated, or the'
      ' injection did nothing.'
    )
  if seeds < statistics.STUDENT_BELOW:
    return _decide_of_few(result, seeds, margin)
  if result.helps:
    return LOSING, (
      'The interval lies above zero and the sign-flip test gives p < 0.05.'
    )
  if result.hurts:
    return HURTS, (
      'The interval lies below zero and the sign-flip test gives p < 0.05.'
    )
  if result.high < margin:
    return NO_EVIDENCE, (
      f'The interval excludes a gain larger than {margin:g}.'
    )
  return UNDECIDED, (
    f'The interval holds both zero and a gain larger than {margin:g}.'
  )


def _decide_of_few(
  result: ArmResult, seeds: int, margin: float
) -> tuple[str, str]:
  """The same of 2 to 5 seeds, which can do no more than exclude the margin.

  Their spread is known badly, and skew not at all: so Student's interval has
  to exclude it at 99 %.
  """
  smallest = statistics.smallest_p(seeds)
  too_few = (
    f'with {seeds} seeds the sign-flip test cannot give less than'
    f' p = {smallest:.3g}'
  )
  if statistics.ties(result.differences):
    return UNDECIDED, (
      f'The {seeds} differences are all the same, which says nothing of their'
      ' spread.'
    )
  strict = statistics.student_interval(result.differences, FEW_CONFIDENCE)
  if seeds > 2 and strict.high < margin:
    return NO_EVIDENCE, (
      f"Student's 99 % interval excludes a gain larger than {margin:g}, as it"
      f' has to with {seeds} seeds.'
    )
  if result.low > 0 or result.high < 0:
    return UNDECIDED, f'The interval excludes zero, but {too_few}.'
  if result.high < margin:
    return UNDECIDED, (
      f'The interval excludes a gain larger than {margin:g}, but {seeds} seeds'
      f' have to at 99 %, where it reaches {wording.short(strict.high)}.'
    )
  return UNDECIDED, (
    f'The interval holds both zero and a gain larger than {margin:g}.'
    f' {too_few[0].upper()}{too_few[1:]}: 6 seeds are the fewest that can show'
    ' a loss.'
  )


def _hidden_collapse(
  primary: ArmResult, control: np.ndarray, worst: float
) -> str | None:
  """A note if a collapse that no seed showed would cancel the gain.

  Args:
    primary: an arm that gains.
    control: scores of control.
    worst: what a seed that collapses is taken to score.
  """
  share = statistics.share_unseen(len(control))
  lost = float(np.mean(control)) - worst
  if (1 - share) * primary.effect > share * lost:
    return None
  return (
    f'Up to {100 * share:.0f} % of seeds may do what none of these'
    f' {len(control)} did: if {primary.arm} made so many collapse (to'
    f' {wording.short(worst)}), there would be no gain on average.'
  )


def _notes(
  verdict: str,
  primary: ArmResult | None,
  secondary: Sequence[ArmResult],
  injections: Collection[str],
  seeds: int,
  margin: float,
  scores: Sequence[np.ndarray],
) -> tuple[str, ...]:
  """What else to know; `scores` are those of control, then of every arm."""
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
  if primary is not None and primary.p < ALPHA <= primary.p_larger:
    notes.append(
      f'The sign-flip test alone gives {wording.p_value(primary.p)}, but it'
      ' takes differences to be symmetric. The studentised bootstrap allows'
      f' for skew and gives {wording.p_value(primary.p_bootstrap)}: the'
      ' interval holds zero.'
    )
  if verdict == LOSING:
    # Most scores have their floor at zero, and some are negative throughout.
    worst = min(0.0, *(float(np.min(s)) for s in scores))
    note = _hidden_collapse(primary, scores[0], worst)
    notes += [note] if note else []
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
  plasticity loss: the interval excludes a gain larger than the margin, with 3
  to 5 seeds at 99 %. Else undecided; always so for two seeds, for a single
  network, and where arm and control are the same. `docs/verdict.md` says what
  is promised of this, and for which differences.

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
  checked = {n: _checked(n, scores, seeds) for n, scores in arms.items()}
  results = {n: _compare(n, base, scores) for n, scores in checked.items()}
  first = results.pop(primary, None) if primary is not None else None
  adjusted = statistics.holm({n: r.p_larger for n, r in results.items()})
  secondary = [
    dataclasses.replace(r, p_holm=adjusted[n]) for n, r in results.items()
  ]
  verdict, reason = _decide(first, count, margin, replicates)
  needed = most = None
  if first is not None and verdict == UNDECIDED and not replicates:
    needed, most = _seeds_needed(first.differences, margin)
  if needed:
    reason += f' A{wording.about(needed, most)[1:]} seeds would decide.'
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
    notes=_notes(
      verdict,
      first,
      secondary,
      injections,
      count,
      margin,
      [base, *checked.values()],
    ),
    seeds_needed=needed,
    replicates=bool(replicates or count == 1),
    seeds_needed_high=most,
  )


def _seeds_needed(
  differences: Sequence[float], margin: float
) -> tuple[int | None, int | None]:
  """About how many would decide, and if the spread is as large as it may be."""
  if len(differences) < 2 or not any(differences):
    return None, None
  return (
    statistics.seeds_to_decide(differences, margin),
    statistics.seeds_to_decide(
      differences, margin, spread=statistics.largest_spread(differences)
    ),
  )
