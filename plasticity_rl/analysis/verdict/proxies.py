"""Which proxy tells? Diagnostics at many forks against what injection gained.

A proxy of lost plasticity tells if it ranks networks as the benefit of an
injection does: by itself, and not only because both change with time.
"""

import dataclasses
import math
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from plasticity_rl import diagnosis_folder
from plasticity_rl.analysis import files
from plasticity_rl.analysis import runs
from plasticity_rl.analysis import wording
from plasticity_rl.analysis.verdict import diagnosis as diagnoses
from plasticity_rl.analysis.verdict import rank_correlation
from plasticity_rl.analysis.verdict import statistics
from plasticity_rl.errors import UserError

INJECTION = 'injection'
PREFIX = 'plasticity/'
# What a proxy has to do better than: to know how old the network is, and how
# well it does.
TIME = 'step'
RETURN = 'eval/return'
# The sign of the correlation if the proxy told: whether more of it means that
# more was lost. 0 where the literature does not say.
EXPECTED = {
  TIME: 1,
  RETURN: -1,
  'dead_units': 1,
  'dormant_units': 1,
  'dormant_overlap': 0,
  'active_units': -1,
  'srank': -1,
  'effective_rank': -1,
  'feature_rank': -1,
  'stable_rank': -1,
  'weight_norm': 1,
  'weight_growth': 1,
  'distance_from_init': 1,
  'deviation_from_isometry': 1,
  'saturation': 1,
  'update_ratio': 0,
  'gradient_l0': 0,
  'gradient_l1': 0,
  'gradient_l2': 0,
  'gradient_covariance': 0,
  'grama': 1,
  'ntk_rank': -1,
  'ntk_condition': 1,
  'hessian': 1,
  'churn': 0,
  'target_fitting': 1,
}
YES, NO, REVERSED, UNFORESEEN = 'yes', 'no', 'reversed', 'yes, sign unstated'
COLUMNS = (
  'proxy,expected,within,within_low,within_high,tells,pooled,pooled_low,'
  'pooled_high,seeds,forks,forks_within,pairs,note'
).split(',')


@dataclasses.dataclass(frozen=True)
class ProxyRow:
  """One proxy against the benefit.

  Attributes:
    proxy: its column of metrics.csv, or 'step'.
    expected: sign of the correlation if the proxy told; 0 for none stated.
    within: mean over forks of Spearman's rho over seeds, with its interval.
    pooled: rho over all pairs, with its interval.
    forks: at which there is a rho over seeds.
    pairs: (seed, fork) pairs in which it was measured.
    note: where it is constant or missing.
  """

  proxy: str
  expected: int
  within: statistics.Interval
  pooled: statistics.Interval
  forks: int
  pairs: int
  note: str

  @property
  def is_reference(self) -> bool:
    """Whether it is no diagnostic, but something to compare with."""
    return not self.proxy.startswith(PREFIX)

  @property
  def tells(self) -> str:
    """Whether the interval within forks leaves zero, and on which side."""
    if math.isnan(self.within.low):
      return '-'
    if self.within.low <= 0 <= self.within.high:
      return NO
    if not self.expected:
      return UNFORESEEN
    return YES if self.within.low * self.expected > 0 else REVERSED


@dataclasses.dataclass(frozen=True)
class Proxies:
  """Many forks of one run, and what told of the benefit.

  Attributes:
    path: the folder.
    prefix: the run that was forked.
    metric: whose mean after the fork is the benefit, injection minus control.
    horizon: steps after a fork.
    seeds: `[S]`.
    steps: of the forks, `[F]`.
    benefit: `[S, F]`.
    values: proxy -> at the fork, before any training, `[S, F]`; NaN where it
      was not measured.
    rows: those to compare with first, then by strength within forks.
  """

  path: pathlib.Path
  prefix: runs.RunResults
  metric: str
  horizon: int
  seeds: np.ndarray
  steps: np.ndarray
  benefit: np.ndarray
  values: Mapping[str, np.ndarray]
  rows: tuple[ProxyRow, ...]

  @property
  def diagnostics(self) -> tuple[ProxyRow, ...]:
    """The rows that are not there to compare with."""
    return tuple(r for r in self.rows if not r.is_reference)

  @property
  def statement(self) -> str:
    """How many tell, in a few words."""
    rows = self.diagnostics
    told = sum(r.tells in (YES, UNFORESEEN) for r in rows)
    turned = sum(r.tells == REVERSED for r in rows)
    also = f', {turned} the wrong way round' if turned else ''
    return f'{told} of {len(rows)} proxies tell{also}'

  @property
  def csv_rows(self) -> list[tuple[Any, ...]]:
    """A row a proxy, as in `COLUMNS`."""
    return [
      (
        r.proxy,
        r.expected,
        *r.within,
        r.tells,
        *r.pooled,
        len(self.seeds),
        len(self.steps),
        r.forks,
        r.pairs,
        r.note,
      )
      for r in self.rows
    ]

  @property
  def pairs(self) -> tuple[tuple[str, ...], list[tuple[float, ...]]]:
    """Header and rows, one a seed and fork: the benefit, and every proxy."""
    values = {n: v for n, v in self.values.items() if n != TIME}
    return ('seed', 'step', 'benefit', *values), [
      (
        int(seed),
        int(step),
        float(gain),
        *(float(v[i, j]) for v in values.values()),
      )
      for j, step in enumerate(self.steps)
      for i, (seed, gain) in enumerate(
        zip(self.seeds, self.benefit[:, j], strict=True)
      )
    ]

  def to_csv(self) -> str:
    """`proxies.csv`."""
    return files.csv_text(COLUMNS, self.csv_rows)

  def to_json(self) -> dict[str, Any]:
    """Plain values for `proxies.json`; None where there is no number."""

    def plain(value):
      return None if isinstance(value, float) and math.isnan(value) else value

    def interval(found):
      return {k: plain(v) for k, v in found._asdict().items()}

    return {
      'metric': self.metric,
      'horizon': self.horizon,
      'seeds': self.seeds.tolist(),
      'steps': self.steps.tolist(),
      'benefit': self.benefit.tolist(),
      'proxies': [
        dataclasses.asdict(r)
        | {
          'within': interval(r.within),
          'pooled': interval(r.pooled),
          'tells': r.tells,
        }
        for r in self.rows
      ],
    }

  def table(self, most: int = 20) -> str:
    """The strongest as text, for the terminal."""
    rows = [('proxy', 'expected', 'within forks [95 %]', 'tells', 'pooled')]
    rows += [
      (r.proxy, sign(r.expected), text(r.within), r.tells, text(r.pooled))
      for r in self.rows[:most]
    ]
    lines = [wording.aligned(rows)]
    if len(self.rows) > most:
      lines.append(f'and {len(self.rows) - most} more in proxies.csv')
    return '\n'.join(lines)


def sign(expected: int) -> str:
  """'+', '-', or '?' where no sign is stated."""
  return {1: '+', -1: '-', 0: '?'}[expected]


def text(found: statistics.Interval) -> str:
  """For example '+0.53 [+0.38, +0.70]'; '-' for none."""
  if math.isnan(found.estimate):
    return '-'
  # A bound of "-0.00" is below zero; only zero itself has no such sign.
  mid, low, high = (f'{v + 0.0:+.2f}' for v in found)
  return mid if math.isnan(found.low) else f'{mid} [{low}, {high}]'


def expected_sign(proxy: str) -> int:
  """Of `plasticity/NET/DIAGNOSTIC/WHERE` that of the diagnostic."""
  name = proxy.split('/')[2] if proxy.startswith(PREFIX) else proxy
  return EXPECTED.get(name, 0)


def compare(proxy: str, values: np.ndarray, benefit: np.ndarray) -> ProxyRow:
  """One proxy against the benefit, both `[S, F]`."""
  rho = rank_correlation.by_fork(values, benefit)
  forks = int(np.isfinite(rho).sum())
  measured = values[~np.isnan(values)]
  notes = []
  if not len(measured):
    notes.append('never measured')
  elif np.all(measured == measured[0]):
    notes.append('constant')
  elif not forks:
    notes.append('no ranking of seeds')
  elif forks < len(rho):
    notes.append(f'ranks at {forks} of {len(rho)} forks')
  if 0 < len(measured) < values.size:
    notes.append(f'missing in {values.size - len(measured)} pairs')
  return ProxyRow(
    proxy=proxy,
    expected=expected_sign(proxy),
    within=rank_correlation.interval(rank_correlation.within, values, benefit),
    pooled=rank_correlation.interval(rank_correlation.pooled, values, benefit),
    forks=forks,
    pairs=len(measured),
    note='; '.join(notes),
  )


def _strength(row: ProxyRow) -> tuple[float, ...]:
  """Sorts what there is to compare with first, then the strongest."""
  strengths = [
    0.0 if math.isnan(x.estimate) else -abs(x.estimate)
    for x in (row.within, row.pooled)
  ]
  if row.is_reference:
    return (0, 0 if row.proxy == TIME else 1)
  return (1, *strengths)


def load(folder: str | pathlib.Path) -> Proxies:
  """Reads a folder of `diagnose --proxies` and compares.

  Raises:
    UserError: naming what is missing or broken, and where.
  """
  folder = pathlib.Path(folder)
  prefix = runs.load(folder / diagnosis_folder.PREFIX, metrics_required=False)
  fork = prefix.config.get('fork')
  fork = fork if isinstance(fork, Mapping) else {}
  steps = fork.get('proxy_steps')
  if not steps:
    raise UserError(
      f'{folder} has no forks to compare: it was not made by --proxies'
    )
  metric = fork.get('metric') or diagnoses.DEFAULT_METRIC
  found = [
    _fork(folder / 'forks' / str(step), prefix, metric, step) for step in steps
  ]
  seeds, horizon = found[0].seeds, found[0].horizon
  for step, one in zip(steps, found, strict=True):
    if (one.seeds, one.horizon) != (seeds, horizon):
      raise UserError(
        f'the forks in {folder} differ: at step {step} there are seeds'
        f' {one.seeds} and {one.horizon} steps, at step {steps[0]} seeds'
        f' {seeds} and {horizon}'
      )
  benefit = np.stack([one.benefit for one in found], axis=1)
  names = dict.fromkeys(name for one in found for name in one.values)
  values = {TIME: np.broadcast_to(np.array(steps, float), benefit.shape)}
  missing = np.full(len(seeds), np.nan)
  for name in names:
    values[name] = np.stack(
      [one.values.get(name, missing) for one in found], axis=1
    )
  if not any(name.startswith(PREFIX) for name in values):
    raise UserError(f'no diagnostic was measured at the forks in {folder}')
  rows = [compare(name, v, benefit) for name, v in values.items()]
  return Proxies(
    path=folder,
    prefix=prefix,
    metric=metric,
    horizon=horizon,
    seeds=np.array(seeds),
    steps=np.array(steps),
    benefit=benefit,
    values=values,
    rows=tuple(sorted(rows, key=_strength)),
  )  # pyformat: disable


@dataclasses.dataclass(frozen=True)
class _Fork:
  """One fork: `benefit` and each of `values` are `[S]`."""

  seeds: list[int]
  horizon: int
  benefit: np.ndarray
  values: dict[str, np.ndarray]


def _fork(
  folder: pathlib.Path, prefix: runs.RunResults, metric: str, step: int
) -> _Fork:
  arms = {
    name: runs.load(folder / name) for name in (diagnoses.CONTROL, INJECTION)
  }
  try:
    there, horizon = diagnoses.fork_of(arms)
    if there != step:
      raise UserError(f'the arms were forked at step {there}')
    scores, seeds = diagnoses.scores_after(arms, metric, step, horizon)
  except UserError as error:
    raise UserError(f'{folder}: {error}') from None
  # The prefix measured what it was forked into; where it did not, what the
  # control arm measured before it trained is of the same network.
  values = {}
  for table in (arms[diagnoses.CONTROL].table, prefix.table):
    for name in table.metrics:
      if name.startswith(PREFIX) or name in (RETURN, metric):
        series = table.series(name).between(step - 1, step)
        if series.values.size and series.seeds.tolist() == seeds:
          known = values.get(name, series.values[:, 0])
          values[name] = np.where(
            series.measured[:, 0], series.values[:, 0], known
          )
  return _Fork(
    seeds, horizon, scores[INJECTION] - scores[diagnoses.CONTROL], values
  )
