"""Run folders as records: what was configured, measured, and spent."""

import dataclasses
import math
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from plasticity_rl.analysis import files
from plasticity_rl.analysis import tables
from plasticity_rl.errors import UserError

# Keys of a config that say how a run was made, not what it is a run of.
_NOT_AN_ARM = ('seed', 'num_seeds', 'log', 'checkpoint', 'fork')


@dataclasses.dataclass(frozen=True)
class RunResults:
  """A run folder.

  Attributes:
    path: the folder.
    record: `config.json`: config, versions, git_revision, command, machine.
    table: `metrics.csv`.
    ledger: `ledger.json`, or None: act_flops, update_flops, evaluation_flops,
      total_flops, seconds, compile_seconds.
    fork: `fork.json` for an arm of a diagnosis, or None.
  """

  path: pathlib.Path
  record: Mapping[str, Any]
  table: tables.Table
  ledger: Mapping[str, float] | None
  fork: Mapping[str, Any] | None

  @property
  def config(self) -> Mapping[str, Any]:
    return self.record['config']

  def name_of(self, section: str) -> str:
    """`config.SECTION.name`, or '?' where a config has no such thing."""
    value = self.config.get(section)
    value = value.get('name') if isinstance(value, Mapping) else value
    return str(value) if value else '?'


@dataclasses.dataclass(frozen=True)
class Group:
  """Runs of one algorithm and arm on one task: their seeds are pooled.

  Attributes:
    algorithm: `config.agent.name`.
    arm: what sets it apart from the other runs of the report.
    task: `config.environment.name`.
    steps: where every run has the metric, `[T]`.
    seeds: of all runs, `[S]`.
    values: of the metric, `[S, T]`.
  """

  algorithm: str
  arm: str
  task: str
  steps: np.ndarray
  seeds: np.ndarray
  values: np.ndarray


def load(
  folder: str | pathlib.Path, *, metrics_required: bool = True
) -> RunResults:
  """Reads a run folder; a `UserError` says what is missing or broken.

  Args:
    folder: the run folder.
    metrics_required: whether `metrics.csv` must be there; else the table has
      no rows without it.
  """
  folder = pathlib.Path(folder)
  if not folder.is_dir():
    raise UserError(f'no such run folder: {folder}')
  record = files.read_json(folder / 'config.json')
  if not isinstance(record.get('config'), dict):
    raise UserError(f'{folder / "config.json"} has no key "config"')
  metrics = folder / 'metrics.csv'
  if metrics_required or metrics.exists():
    table = tables.read_metrics(metrics)
  else:
    table = tables.empty(metrics)
  return RunResults(
    path=folder,
    record=record,
    table=table,
    ledger=files.read_json(folder / 'ledger.json', optional=True),
    fork=files.read_json(folder / 'fork.json', optional=True),
  )


def require_finite(series: tables.Series, where: str) -> None:
  """Refuses a series whose measured values are not all finite."""
  bad = series.measured & ~np.isfinite(series.values)
  if bad.any():
    s, t = np.argwhere(bad)[0]
    raise UserError(
      f'{where}, seed {series.seeds[s]}: {series.metric} is'
      f' {series.values[s, t]} at step {series.steps[t]}; scores must be'
      ' finite'
    )


def require_complete(series: tables.Series, where: str) -> None:
  """Refuses a series with a seed that lacks a step which another has."""
  if not series.measured.all():
    s, t = np.argwhere(~series.measured)[0]
    raise UserError(
      f'{where} has no {series.metric} for seed {series.seeds[s]} at step'
      f' {series.steps[t]}, which other seeds have'
    )


def _flat(config: Mapping[str, Any], prefix: str = '') -> Iterator[tuple]:
  for key, value in config.items():
    if isinstance(value, Mapping):
      yield from _flat(value, f'{prefix}{key}.')
    else:
      yield f'{prefix}{key}', value


def _arms(runs: Sequence[RunResults]) -> list[str]:
  """What sets each run apart: the arm of a fork, and config keys that vary."""
  flats = [dict(_flat(r.config)) for r in runs]
  keys = {
    k: None  # A dict, to keep the order of the configs.
    for flat in flats
    for k in flat
    if k.split('.')[0] not in _NOT_AN_ARM
    and k not in ('agent.name', 'environment.name')
  }
  # Other agents and environments have other keys: compare like with like.
  kinds: dict[tuple[str, str], list[dict[str, Any]]] = {}
  for run, flat in zip(runs, flats, strict=True):
    kind = run.name_of('agent'), run.name_of('environment')
    kinds.setdefault(kind, []).append(flat)
  vary = [
    k
    for k in keys
    if any(len({repr(f.get(k)) for f in same}) > 1 for same in kinds.values())
  ]
  leaves = [k.rsplit('.', 1)[-1] for k in vary]
  short = {
    k: leaf if leaves.count(leaf) == 1 else k
    for k, leaf in zip(vary, leaves, strict=True)
  }
  names = []
  for run, flat in zip(runs, flats, strict=True):
    parts = [str(run.fork['arm'])] if run.fork and 'arm' in run.fork else []
    parts += [f'{short[k]}={flat[k]}' for k in vary if k in flat]
    names.append(', '.join(parts) or 'all')
  return names


def group(runs: Sequence[RunResults], metric: str) -> tuple[Group, ...]:
  """Pools the seeds of equal runs; refuses the same seed twice.

  Curves of a group are kept at the steps that all of its runs have.
  """
  members: dict[
    tuple[str, str, str], list[tuple[RunResults, tables.Series]]
  ] = {}
  for run, arm in zip(runs, _arms(runs), strict=True):
    series = run.table.series(metric)
    where = str(run.path)
    if not len(series.steps):
      raise UserError(f'{where} has no value of {metric} yet')
    require_finite(series, where)
    require_complete(series, where)
    key = (run.name_of('agent'), arm, run.name_of('environment'))
    members.setdefault(key, []).append((run, series))
  groups = []
  for key, pairs in members.items():
    owner: dict[int, RunResults] = {}
    for run, series in pairs:
      for seed in series.seeds:
        if seed in owner:
          raise UserError(
            f'seed {seed} is both in {owner[seed].path} and in {run.path},'
            ' runs with the same config'
          )
        owner[seed] = run
    steps = pairs[0][1].steps
    for _, series in pairs[1:]:
      steps = np.intersect1d(steps, series.steps)
    if not len(steps):
      raise UserError(
        f'{pairs[0][0].path} and {pairs[1][0].path} have the same config but'
        f' no step in common where {metric} was measured'
      )
    at = [np.isin(s.steps, steps) for _, s in pairs]
    values = [s.values[:, a] for (_, s), a in zip(pairs, at, strict=True)]
    seeds = np.concatenate([s.seeds for _, s in pairs])
    groups.append(Group(*key, steps, seeds, np.concatenate(values)))
  return tuple(groups)


def common_step(groups: Sequence[Group]) -> int:
  """The last step that every group has reached."""
  return int(min(g.steps[-1] for g in groups))


def flops(run: RunResults) -> float:
  """Total FLOPs of a run, NaN where there is no ledger."""
  return float((run.ledger or {}).get('total_flops', math.nan))


def seconds(run: RunResults) -> float:
  """Seconds of a run: of its ledger, or else of its metrics."""
  if run.ledger and 'seconds' in run.ledger:
    return float(run.ledger['seconds'])
  if 'seconds' in run.table.columns:
    values = run.table.columns['seconds']
    values = values[np.isfinite(values)]
    return float(values.max()) if len(values) else math.nan
  return math.nan
