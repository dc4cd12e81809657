"""A diagnosis folder: read, checked whole, and judged."""

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from plasticity_rl import diagnosis_folder
from plasticity_rl.analysis import files
from plasticity_rl.analysis import runs
from plasticity_rl.analysis import tables
from plasticity_rl.analysis.verdict import rules
from plasticity_rl.analysis.verdict import verdict as verdicts
from plasticity_rl.errors import UserError
from plasticity_rl.errors import nearest

CONTROL = 'control'
DEFAULT_METRIC = 'eval/return'


@dataclasses.dataclass(frozen=True)
class Diagnosis:
  """Arms that share a prefix and differ by one intervention.

  Attributes:
    path: the folder.
    prefix: the run before the fork.
    arms: name -> run after the fork; control first, then the primary arm.
    step: of the fork.
    horizon: steps after it.
    metric: what is compared.
    verdict: the answer.
    foreign: whether the curves are from elsewhere, so that how the arms began
      is not known; then `prefix` is control before the fork.
  """

  path: pathlib.Path
  prefix: runs.RunResults
  arms: Mapping[str, runs.RunResults]
  step: int
  horizon: int
  metric: str
  verdict: verdicts.Verdict
  foreign: bool = False

  def after(self, arm: str) -> tables.Series:
    """The metric of an arm from the fork step on, that step included."""
    series = self.arms[arm].table.series(self.metric)
    return series.between(self.step - 1, self.step + self.horizon)

  def prefix_series(self, metric: str | None = None) -> tables.Series | None:
    """A metric before the fork; None where the prefix never measured it."""
    metric = metric or self.metric
    if metric not in self.prefix.table.metrics:
      return None
    series = self.prefix.table.series(metric).between(-np.inf, self.step)
    return series if len(series.steps) else None

  def at_fork(self, arm: str, name: str) -> np.ndarray | None:
    """A measurement of the fork, one a seed; None where it was not taken."""
    record = (self.arms[arm].fork or {}).get('at_fork') or {}
    values = record.get(name)
    if values is None:
      return None
    try:
      return np.array(
        [np.nan if v is None else v for v in np.ravel(values)], float
      )
    except (TypeError, ValueError):
      path = self.arms[arm].path / 'fork.json'
      raise UserError(f'{path}: at_fork.{name} must hold numbers') from None


def is_diagnosis(folder: str | pathlib.Path) -> bool:
  """Whether a folder has arms."""
  return (pathlib.Path(folder) / diagnosis_folder.ARMS).is_dir()


def load(
  folder: str | pathlib.Path,
  *,
  metric: str | None = None,
  margin: float | None = None,
) -> Diagnosis:
  """Reads a diagnosis folder and judges it.

  Args:
    folder: with `prefix/` and `arms/NAME/`.
    metric: what to compare; by default `config.fork.metric`, or eval/return.
    margin: the smallest gain that matters; by default that of fork.json, of
      `config.fork.margin`, or of a verdict.json that is there.

  Raises:
    UserError: naming what is missing or broken, and where.
  """
  folder = pathlib.Path(folder)
  if not is_diagnosis(folder):
    raise UserError(f'{folder} is not a diagnosis folder: it has no arms/')
  prefix = runs.load(folder / diagnosis_folder.PREFIX, metrics_required=False)
  arms = {
    name: runs.load(path)
    for name, path in diagnosis_folder.arms(folder).items()
  }
  if CONTROL not in arms:
    raise UserError(
      f'{folder} has no control arm; found: {", ".join(arms) or "none"}'
    )
  step, horizon = fork_of(arms)
  injections = [n for n, run in arms.items() if _is_injection(n, run)]
  primary = 'injection' if 'injection' in injections else None
  primary = primary or (injections[0] if injections else None)
  order = [CONTROL, *([primary] if primary else [])]
  arms = {n: arms[n] for n in order + [n for n in arms if n not in order]}
  fork = _section(arms[CONTROL], 'fork')
  metric = metric or fork.get('metric') or DEFAULT_METRIC
  scores, seeds = scores_after(arms, metric, step, horizon)
  replicates = any(
    bool(run.fork.get('replicates')) for run in arms.values()
  ) or bool(fork.get('replicates'))
  if margin is None:
    margin = _margin(folder, arms, fork)
  verdict = rules.assess(
    scores.pop(CONTROL),
    scores,
    margin=margin,
    metric=metric,
    primary=primary,
    injections=injections,
    seeds=seeds,
    replicates=replicates,
  )
  diagnosis = Diagnosis(folder, prefix, arms, step, horizon, metric, verdict)
  for name in arms:
    for measure in ('largest_output_change', 'greedy_agreement'):
      diagnosis.at_fork(name, measure)  # Broken values are found here.
  return diagnosis


def _section(run: runs.RunResults, name: str) -> Mapping[str, Any]:
  value = run.config.get(name)
  return value if isinstance(value, Mapping) else {}


def _is_injection(name: str, run: runs.RunResults) -> bool:
  return name == 'injection' or str(
    run.fork.get('intervention', '')
  ).startswith('injection')


def fork_of(arms: Mapping[str, runs.RunResults]) -> tuple[int, int]:
  """Step and horizon, the same in every arm."""
  found = {}
  for name, run in arms.items():
    if run.fork is None:
      raise UserError(f'arm {name!r} has no fork.json in {run.path}')
    values = [run.fork.get(k) for k in ('step', 'horizon')]
    for key, value in zip(('step', 'horizon'), values, strict=True):
      if type(value) is not int or value < 0:
        raise UserError(
          f'{run.path / "fork.json"}: {key} must be a whole number, found'
          f' {value!r}'
        )
    found[name] = tuple(values)
  for name, value in found.items():
    if value != found[CONTROL]:
      raise UserError(
        f'arm {name!r} was forked at step {value[0]} for {value[1]} steps,'
        f' control at {found[CONTROL][0]} for {found[CONTROL][1]}'
      )
  return found[CONTROL]


def _margin(
  folder: pathlib.Path,
  arms: Mapping[str, runs.RunResults],
  fork: Mapping[str, Any],
) -> float:
  earlier = files.read_json(folder / 'verdict.json', optional=True) or {}
  for source in (arms[CONTROL].fork, fork, earlier):
    value = source.get('margin')
    if isinstance(value, int | float) and value > 0:
      return float(value)
  raise UserError(
    f'{folder} states no margin (the smallest gain that matters): give --margin'
  )


def scores_after(
  arms: Mapping[str, runs.RunResults], metric: str, step: int, horizon: int
) -> tuple[dict[str, np.ndarray], list[int]]:
  """Mean of the metric over (step, step + horizon], per arm and seed."""
  control = arms[CONTROL].table
  if metric not in control.metrics:
    raise UserError(
      f"arm 'control': {nearest('metric', metric, control.metrics)}"
    )
  end = step + horizon
  every = {}
  for name, run in arms.items():
    reached = int(run.table.columns['step'].max())
    if reached < end:
      raise UserError(
        f'arm {name!r} is incomplete: it stops at step {reached} of {end}'
      )
    if metric not in run.table.metrics:
      raise UserError(f'arm {name!r} has no {metric}')
    every[name] = run.table.series(metric).between(step, end)
    runs.require_finite(every[name], f'arm {name!r}')
  reference = every[CONTROL]
  if not len(reference.steps):
    raise UserError(
      f'no {metric} was measured after the fork (steps {step} to {end})'
    )
  seeds = sorted({int(s) for e in every.values() for s in e.seeds})
  steps = sorted({int(t) for e in every.values() for t in e.steps})
  for name, series in every.items():
    for seed in seeds:
      row = np.flatnonzero(series.seeds == seed)
      if not len(row):
        raise UserError(
          f'arm {name!r} is incomplete: it has no seed {seed}, which another'
          ' arm has'
        )
      has = set(series.steps[series.measured[row[0]]].tolist())
      lacking = [t for t in steps if t not in has]
      # Evaluations happen on a grid; other metrics may have gaps, such as the
      # return of a segment in which no episode ended.
      if lacking and (metric.startswith('eval/') or not has):
        raise UserError(
          f'arm {name!r} is incomplete: it has no {metric} for seed {seed} at'
          f' step {lacking[0]}, which another arm or seed has'
        )
  return {n: np.nanmean(s.values, axis=1) for n, s in every.items()}, seeds
