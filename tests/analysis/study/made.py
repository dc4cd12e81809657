"""Results of a study from arrays, without a folder."""

import pathlib

import numpy as np

from plasticity_rl.analysis import runs
from plasticity_rl.analysis import tables
from plasticity_rl.analysis.study import study as studies

NOWHERE = pathlib.Path('nowhere')
STEPS = (100, 200, 300)


def study(*samples, missing=()):
  """Of samples made by `sample`."""
  return studies.StudyResults(
    path=NOWHERE,
    record={'title': 'Made?'},
    metric='eval/return',
    samples=samples,
    missing=missing,
    axes=studies.axes_of(samples),
    prefixes=(),
  )


def sample(arm, scores, *, seeds=None, task='catch', columns=None, **facts):
  """An arm with a score a seed.

  Args:
    arm: its name.
    scores: `[S]`.
    seeds: of the scores; from 1000 on by default.
    task: of the environment.
    columns: more of metrics.csv, each `[S, 3]`, at `STEPS`.
    **facts: axes with `__` for a dot, and `margin`, `fork`, `flops`, `prefix`.
  """
  scores = np.asarray(scores, float)
  seeds = np.arange(1000, 1000 + len(scores)) if seeds is None else seeds
  seeds = np.asarray(seeds)
  special = {
    key: facts.pop(key, None) for key in ('margin', 'fork', 'flops', 'prefix')
  }
  record = _run(seeds, scores, task, columns or {}, special)
  prefix = None
  if special['prefix']:
    prefix = _run(seeds, scores, task, special['prefix'], {})
  axes = {key.replace('__', '.'): value for key, value in facts.items()}
  return studies.Sample(
    run=f'{arm},{axes}',
    arm=arm,
    setting=studies.setting_of(axes),
    seeds=seeds,
    scores=scores,
    series=record.table.series('eval/return'),
    margin=special['margin'] or 0.0,
    record=record,
    prefix=prefix,
  )


def _run(seeds, scores, task, columns, facts):
  columns = {'eval/return': np.tile(scores[:, None], 3), **columns}
  rows = {
    'seed': np.repeat(seeds, 3).astype(float),
    'step': np.tile(STEPS, len(seeds)).astype(float),
    **{name: np.ravel(values) for name, values in columns.items()},
  }
  return runs.RunResults(
    path=NOWHERE,
    record={
      'config': {'agent': {'name': 'dqn'}, 'environment': {'name': task}}
    },
    table=tables.Table(
      NOWHERE, rows, {name: np.isfinite(v) for name, v in rows.items()}
    ),
    ledger={'total_flops': facts.get('flops') or 1.0, 'seconds': 2.0},
    fork=facts.get('fork'),
  )
