"""Which runs are compared, over which steps, and on which grid.

Runs are paired by seed. With fork step f and horizon h, the score of a run is
its mean over the steps f < t <= f + h:

- where every run was measured at the same steps, the mean of the values there;
- else the mean over time of the curve that joins its points by straight lines,
  `1/h int_f^(f+h) y(t) dt`. Before its first point a curve is as high as there,
  which may be for a tenth of the horizon; beyond its last it is not known.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from plasticity_rl.analysis.curves.curve import Curve
from plasticity_rl.errors import UserError
from plasticity_rl.errors import nearest

MOST_POINTS = 60  # Of a grid that is not the curves' own.
_HELD = 0.1  # Share of the horizon before the first point of a curve.
_LONGER = 0.05  # Share of the horizon by which runs may end apart unsaid.

Arms = Mapping[str, Sequence[Curve]]  # In the order of seeds, one each.


@dataclasses.dataclass(frozen=True)
class Window:
  """Steps that are compared: fork < step <= end."""

  fork: int
  horizon: int

  @property
  def end(self) -> int:
    return self.fork + self.horizon


@dataclasses.dataclass(frozen=True)
class Paired:
  """Runs of every arm for the same seeds.

  Attributes:
    arms: control first, then the injection, then the others.
    seeds: of each arm, sorted.
    notes: which runs were left out.
  """

  arms: dict[str, list[Curve]]
  seeds: list[int]
  notes: tuple[str, ...]


def pair(
  curves: Sequence[Curve], control: str, injection: str | None
) -> Paired:
  """Puts runs side by side, by seed.

  Args:
    curves: with arm and seed.
    control: the arm without an intervention.
    injection: the arm of the verdict; None finds it.

  Raises:
    UserError: an arm is missing or not clear, arms have no seed in common, or
      one only.
  """
  by_arm: dict[str, dict[int, Curve]] = {}
  for curve in curves:
    by_arm.setdefault(str(curve.arm), {})[int(curve.seed or 0)] = curve
  if control not in by_arm:
    raise UserError(
      f'no arm {control!r} to compare with: give --control, one of'
      f' {", ".join(sorted(by_arm))}; or --names, if these are no arms'
    )
  first = _injection(list(by_arm), control, injection)
  order = [control, first, *(a for a in by_arm if a not in (control, first))]
  seeds = sorted(by_arm[control])
  for arm in order[1:]:
    common = [s for s in seeds if s in by_arm[arm]]
    if not common:
      raise UserError(
        f'arm {arm!r} has no seed in common with the arms before it: it has'
        f' {_listed(by_arm[arm])}, they have {_listed(seeds)}; a seed is one'
        ' run that was forked into every arm'
      )
    seeds = common
  if len(seeds) == 1:
    raise UserError(
      f'one seed ({seeds[0]}) is in every arm: a verdict needs 2 at least, and'
      ' 6 to show a loss; fork more runs'
    )
  notes = []
  for arm in order:
    left = [s for s in by_arm[arm] if s not in seeds]
    if left:
      notes.append(
        f'{arm} has seeds that another arm lacks, which are left out:'
        f' {_listed(left)}.'
      )
  arms = {arm: [by_arm[arm][s] for s in seeds] for arm in order}
  return Paired(arms, seeds, tuple(notes))


def _injection(arms: Sequence[str], control: str, given: str | None) -> str:
  others = [a for a in arms if a != control]
  if not others:
    raise UserError(f'{control!r} is the only arm: nothing to compare it with')
  if given is not None:
    if given not in others:
      raise UserError(nearest('arm', given, others))
    return given
  named = [a for a in others if is_injection(a)]
  for found in ([a for a in others if a == 'injection'], named, others):
    if len(found) == 1:
      return found[0]
  raise UserError(
    'which arm is the injection? Give --injection, one of'
    f' {", ".join(sorted(named or others))}'
  )


def is_injection(arm: str) -> bool:
  """Whether a name says that its arm is an injection."""
  return 'inject' in arm.lower()


def _listed(seeds: Sequence[int] | Mapping[int, Curve]) -> str:
  shown = sorted(seeds)
  return ', '.join(map(str, shown[:8])) + ', ...' * (len(shown) > 8)


def window(
  arms: Arms, fork: int | None, horizon: int | None
) -> tuple[Window, tuple[str, ...]]:
  """Steps that are compared, and notes on how they were found.

  Args:
    arms: paired runs.
    fork: step of the fork; None takes the first that every run has reached.
    horizon: steps after it; None takes all that every run has.

  Raises:
    UserError: the data do not reach so far, or a value there is not finite.
  """
  every = [c for runs in arms.values() for c in runs]
  notes = []
  for curve in every:
    if not len(curve.steps):
      raise UserError(f'{curve.source}: {curve.run} has no {curve.metric}')
  if fork is None:
    fork = max(int(c.steps[0]) for c in every)
    notes.append(
      f'The fork is taken to be at step {fork:,}, the first that every run has'
      ' reached; --fork_step says otherwise.'
    )
  shortest = min(every, key=lambda c: int(c.steps[-1]))
  reach = int(shortest.steps[-1])
  if fork >= reach:
    raise UserError(
      f'the fork is at step {fork}, and {shortest.run} ends at step {reach}:'
      ' give a --fork_step before that, or train on'
    )
  found = Window(fork, reach - fork if horizon is None else horizon)
  if found.end > reach:
    raise UserError(
      f'the horizon ends at step {found.end}, beyond the data: {shortest.run}'
      f' ends at step {reach}; give --horizon={reach - fork} or less'
    )
  longest = max(every, key=lambda c: int(c.steps[-1]))
  beyond = int(longest.steps[-1]) - reach
  if horizon is None and beyond > _LONGER * found.horizon:
    notes.append(
      f'Runs have different horizons: {shortest.run} ends at step {reach:,},'
      f' {longest.run} at {int(longest.steps[-1]):,}; what is after the first'
      ' of them is left out.'
    )
  for curve in every:
    _check(curve, found)
  return found, tuple(notes)


def _check(curve: Curve, at: Window) -> None:
  """Refuses a run without numbers, or with others, between fork and end."""
  inside = curve.between(at.fork, at.end)
  bad = ~np.isfinite(inside.values)
  if bad.any():
    i = int(np.argmax(bad))
    raise UserError(
      f'{curve.source}: {curve.run} is {inside.values[i]} at step'
      f' {inside.steps[i]}, within the horizon ({at.fork} to {at.end}): give a'
      ' shorter --horizon, or leave the seed out of every arm'
    )
  if not len(inside.steps):
    raise UserError(
      f'{curve.source}: {curve.run} has no {curve.metric} from step {at.fork}'
      f' to {at.end}: give another --fork_step or --horizon'
    )


def same_steps(arms: Arms, at: Window) -> bool:
  """Whether every run was measured at the same steps of the window."""
  steps = [
    c.between(at.fork, at.end).steps.tolist()
    for runs in arms.values()
    for c in runs
  ]
  return all(s == steps[0] for s in steps)


def score(curve: Curve, at: Window, *, joined: bool) -> float:
  """The mean of a run over the window.

  Args:
    curve: of the run.
    at: the window.
    joined: whether over time, on the lines that join its points; else over
      its points.

  Raises:
    UserError: joined, and the curve begins too late or ends too early.
  """
  if not joined:
    return float(np.mean(curve.between(at.fork, at.end).values))
  return float(mean_between(_known(curve, at), at.fork, at.end))


def _known(curve: Curve, at: Window) -> Curve:
  """The points of a curve that are numbers, if they span the window."""
  finite = curve.finite()
  late = int(finite.steps[0]) - at.fork
  if late > _HELD * at.horizon:
    raise UserError(
      f'{curve.source}: {curve.run} begins at step {finite.steps[0]}, more'
      f' than a tenth of the horizon after the fork at {at.fork}: give another'
      ' --fork_step'
    )
  if finite.steps[-1] < at.end:
    raise UserError(
      f'{curve.source}: {curve.run} has its last number at step'
      f' {finite.steps[-1]}, before the end of the horizon at {at.end}: give a'
      ' shorter --horizon'
    )
  return finite


def mean_between(curve: Curve, begin: float, end: float) -> float:
  """Mean over time of a curve whose points are joined by straight lines."""
  steps = curve.between(begin, end).steps
  at = np.concatenate([[begin], steps[steps < end], [end]]).astype(float)
  values = np.interp(at, curve.steps, curve.values)
  return float(np.trapezoid(values, at) / (end - begin))


def grid(arms: Arms, at: Window) -> np.ndarray:
  """Steps `[T]` at which runs with steps of their own are shown.

  Evenly spaced up to the end, as many as the run with the fewest points has,
  and at most `MOST_POINTS`.
  """
  points = [
    len(c.between(at.fork, at.end).steps)
    for runs in arms.values()
    for c in runs
  ]
  count = max(1, min(*points, MOST_POINTS, at.horizon))
  return at.fork + np.round(
    np.arange(1, count + 1) * at.horizon / count
  ).astype(np.int64)


def on_grid(curve: Curve, at: Window, steps: np.ndarray) -> np.ndarray:
  """The mean of a curve between each step of a grid and the one before."""
  known = _known(curve, at)
  edges = [at.fork, *steps.tolist()]
  return np.array(
    [mean_between(known, *edges[i : i + 2]) for i in range(len(steps))]
  )


def unfair(
  arms: Arms, at: Window, rebuilt: Sequence[str], *, fork_given: bool = True
) -> tuple[str, ...]:
  """What makes the comparison one of more than the intervention, in sentences.

  Args:
    arms: paired runs, control first.
    at: the window.
    rebuilt: arms whose optimizer began anew at the fork.
    fork_given: whether the fork is where the user said; where it was guessed,
      nothing tells what is before it.

  Raises:
    UserError: `rebuilt` names an arm that is not there.
  """
  for arm in rebuilt:
    if arm not in arms:
      raise UserError(nearest('arm', arm, arms))
  control, *others = arms
  notes, seen = [], False
  for arm in others:
    differ = []
    for a, b in zip(arms[control], arms[arm], strict=True):
      before = [c.between(-np.inf, at.fork - 1) for c in (a, b)]
      if fork_given and all(len(c.steps) for c in before):
        seen = True
        if not _equal(*before):
          differ.append(int(a.seed or 0))
    if differ:
      notes.append(
        f'{control} and {arm} differ before the fork at step {at.fork:,} (seed'
        f' {_listed(differ)}): they did not begin from one state, and what'
        ' came after is not of the intervention alone.'
      )
  if not seen:
    notes.append(
      'No arm has a curve before the fork, so these curves cannot show that'
      ' the arms began from one state.'
      if fork_given
      else 'Without --fork_step, nothing shows that the arms began from one'
      ' state.'
    )
  begun = [arm for arm in arms if arm in rebuilt]
  kept = [arm for arm in arms if arm not in rebuilt]
  if begun and kept:
    notes.append(
      f'The optimizer was rebuilt in {" and ".join(begun)} and not in'
      f' {" and ".join(kept)}: what moments and step count that began anew do'
      ' is part of the difference. Rebuild it in every arm, or in none.'
    )
  return tuple(notes)


def _equal(a: Curve, b: Curve) -> bool:
  """Whether two curves are of one run, up to how its values are printed."""
  return np.array_equal(a.steps, b.steps) and np.allclose(
    a.values, b.values, rtol=1e-5, atol=1e-9, equal_nan=True
  )
