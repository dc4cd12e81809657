"""Curves from elsewhere, judged as a diagnosis of our own is."""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np

from plasticity_rl.analysis import runs
from plasticity_rl.analysis import tables
from plasticity_rl.analysis.curves import pairing
from plasticity_rl.analysis.curves import reader
from plasticity_rl.analysis.curves.curve import Curve
from plasticity_rl.analysis.curves.question import Question
from plasticity_rl.analysis.verdict import diagnosis as diagnoses
from plasticity_rl.analysis.verdict import rules
from plasticity_rl.errors import UserError

# Metric -> its steps `[T]` and values `[S, T]`.
Measured = Mapping[str, tuple[np.ndarray, np.ndarray]]


def load(
  given: Sequence[str | pathlib.Path], question: Question
) -> diagnoses.Diagnosis:
  """Reads curves and judges them; `pairing` states how.

  Args:
    given: files and folders.
    question: how to read them, and what to compare.

  Raises:
    UserError: in one line, what is wrong with which run, and what to do.
  """
  found = reader.read(given, question)
  step, horizon, margin = _known(found.forks, question)
  paired = pairing.pair(found.curves, question.control, question.injection)
  arms, seeds = paired.arms, paired.seeds
  if diagnoses.CONTROL in list(arms)[1:]:
    raise UserError(
      f'--control={question.control}, and another arm is called'
      f' {diagnoses.CONTROL!r}: call that one otherwise, or leave it out'
    )
  window, of_window = pairing.window(arms, step, horizon)
  unfair = pairing.unfair(
    arms, window, question.optimizer_rebuilt, fork_given=step is not None
  )
  joined = not pairing.same_steps(arms, window)
  scores = {
    arm: np.array([pairing.score(c, window, joined=joined) for c in curves])
    for arm, curves in arms.items()
  }
  control, primary, *others = arms
  verdict = rules.assess(
    scores.pop(control),
    scores,
    margin=margin,
    metric=found.metric,
    primary=primary,
    injections=[a for a in others if pairing.is_injection(a)],
    seeds=seeds,
  )
  notes = [*paired.notes, *of_window, *unfair]
  if joined:
    notes.append(
      'Runs were measured at steps of their own: a score is the mean over time'
      ' of the lines that join the points.'
    )
  if not pairing.is_injection(primary):
    notes.append(
      f'{primary} was taken for the injection. That something else helps does'
      ' not show that plasticity was lost.'
    )
  verdict = dataclasses.replace(verdict, notes=(*verdict.notes, *notes))
  record = {'config': _record(found, paired, question, window)}
  before, after = _tables(pathlib.Path(given[0]), found, paired, window)
  return diagnoses.Diagnosis(
    before.path,
    runs.RunResults(before.path, record, before, None, None),
    {
      _label(arm, control): runs.RunResults(
        table.path, record, table, None, None
      )
      for arm, table in after.items()
    },
    window.fork,
    window.horizon,
    found.metric,
    verdict,
    foreign=True,
  )


def _tables(
  path: pathlib.Path,
  found: reader.Found,
  paired: pairing.Paired,
  window: pairing.Window,
) -> tuple[tables.Table, dict[str, tables.Table]]:
  """Control before the fork, and each arm after it with all it measured."""
  arms, seeds = paired.arms, paired.seeds
  measured = {found.metric: arms} | {
    metric: of
    for metric, of in _by_metric(found.others, arms, seeds).items()
    if metric == found.metric or _covers(of, window)
  }
  control = next(iter(arms.values()))
  return _table(path, seeds, _before(found.metric, control, window)), {
    arm: _table(
      path,
      seeds,
      {metric: _after(of[arm], of, window) for metric, of in measured.items()},
    )
    for arm in arms
  }


def _label(arm: str, control: str) -> str:
  return diagnoses.CONTROL if arm == control else arm


def _known(
  forks: Sequence[Mapping], question: Question
) -> tuple[int | None, int | None, float]:
  """Fork step, horizon and margin: what was asked, or what our runs say."""
  step, horizon, margin = question.fork_step, question.horizon, question.margin
  for key, value in (('step', step), ('horizon', horizon), ('margin', margin)):
    told = {
      fork[key]
      for fork in forks
      if isinstance(fork.get(key), int | float) and (fork[key] or key == 'step')
    }
    if value is not None or not told:
      continue
    if len(told) > 1:
      flag = {'step': 'fork_step'}.get(key, key)
      raise UserError(
        f'runs were forked with {key} {" and ".join(map(str, sorted(told)))}:'
        f' give --{flag}'
      )
    [value] = told
    if key == 'step':
      step = value
    elif key == 'horizon':
      horizon = value
    else:
      margin = value
  if margin is None:
    raise UserError(
      'give --margin, the smallest gain that matters, in units of the metric:'
      ' for example a tenth of the range of returns'
    )
  return step, horizon, margin


def _by_metric(
  others: Sequence[Curve], arms: pairing.Arms, seeds: Sequence[int]
) -> dict[str, dict[str, list[Curve]]]:
  """Other metrics that every paired run has, by arm in the order of seeds."""
  found: dict[str, dict[tuple[str, int], Curve]] = {}
  for c in others:
    found.setdefault(c.metric, {})[str(c.arm), int(c.seed or 0)] = c
  return {
    metric: {arm: [of[arm, s] for s in seeds] for arm in arms}
    for metric, of in found.items()
    if all((arm, s) in of for arm in arms for s in seeds)
  }


def _covers(arms: pairing.Arms, window: pairing.Window) -> bool:
  """Whether all runs have a metric over the whole window."""
  try:
    for curves in arms.values():
      for curve in curves:
        pairing.score(curve.finite(), window, joined=True)
  except (UserError, IndexError):
    return False
  return True


def _after(
  curves: Sequence[Curve], arms: pairing.Arms, window: pairing.Window
) -> tuple[np.ndarray, np.ndarray]:
  """Steps and values from the fork on, as they are or on a grid."""
  if pairing.same_steps(arms, window):
    begin = window.fork - all(
      window.fork in c.steps for runs in arms.values() for c in runs
    )
    cut = [c.between(begin, window.end) for c in curves]
    return cut[0].steps, np.array([c.values for c in cut])
  steps = pairing.grid(arms, window)
  return steps, np.array([pairing.on_grid(c, window, steps) for c in curves])


def _before(
  metric: str, curves: Sequence[Curve], window: pairing.Window
) -> Measured:
  """What control did before the fork, where every seed has some of it."""
  before = [c.finite().between(-np.inf, window.fork) for c in curves]
  if min(len(c.steps) for c in before) < 2:
    return {}
  if all(np.array_equal(c.steps, before[0].steps) for c in before):
    return {metric: (before[0].steps, np.array([c.values for c in before]))}
  begin = max(int(c.steps[0]) for c in before)
  end = min(int(c.steps[-1]) for c in before)
  if end <= begin:
    return {}
  past = pairing.Window(begin, end - begin)
  return {metric: _after(before, {'': before}, past)}


def _table(
  path: pathlib.Path, seeds: Sequence[int], measured: Measured
) -> tables.Table:
  """Metrics as a table of `metrics.csv` would hold them."""
  if not measured:
    return tables.empty(path)
  steps = np.unique(np.concatenate([s for s, _ in measured.values()]))
  shape = len(seeds), len(steps)
  columns = {
    'seed': np.broadcast_to(np.array(seeds, float)[:, None], shape).ravel(),
    'step': np.broadcast_to(steps.astype(float), shape).ravel(),
  }
  has = {name: np.ones(len(column), bool) for name, column in columns.items()}
  for metric, (at, values) in measured.items():
    column = np.full(shape, np.nan)
    column[:, np.searchsorted(steps, at)] = values
    columns[metric] = column.ravel()
    has[metric] = np.broadcast_to(np.isin(steps, at), shape).ravel()
  return tables.Table(path, columns, has)


def _record(
  found: reader.Found,
  paired: pairing.Paired,
  question: Question,
  window: pairing.Window,
) -> dict[str, object]:
  """What was read and asked, for the page."""
  return {
    'metric': found.metric,
    'fork_step': window.fork,
    'horizon': window.horizon,
    'control': question.control,
    'optimizer_rebuilt': list(question.optimizer_rebuilt),
    'curves': {
      c.source: {
        'arm': c.arm,
        'seed': c.seed,
        'points': len(c.steps),
        'steps': [int(c.steps[0]), int(c.steps[-1])],
      }
      for curves in paired.arms.values()
      for c in curves
    },
  }
