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
      f' ({wording.p_value(result.p)}).'
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
  needed = None
  if first is None:
    verdict = UNDECIDED
    reason = 'No arm was an injection, so plasticity was not tested.'
  else:
    verdict, reason = _decide(first, count, margin, replicates)
    if verdict == UNDECIDED and not replicates:
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
