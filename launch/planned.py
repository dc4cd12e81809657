"""What a study would come to, so that its claims can be checked before it runs.

Each run has the arms, seeds, axes and steps that it will have, and zeros for
numbers.
"""

import pathlib
from collections.abc import Collection
from types import ModuleType

import numpy as np

from plasticity_rl import settings as settings_lib
from plasticity_rl.analysis import runs
from plasticity_rl.analysis import tables
from plasticity_rl.analysis.study import claims as claims_lib
from plasticity_rl.analysis.study import study as studies
from plasticity_rl.analysis.verdict import diagnosis as diagnoses
from plasticity_rl.interventions import expression
from plasticity_rl.training import schedule

from . import sharing
from . import study as study_lib

NOWHERE = pathlib.Path('not run yet')
# Of discrete actions, and of continuous ones.
_AT_FORK = ('largest_output_change', 'greedy_agreement', 'mean_action_change')


def claims_of(
  module: ModuleType, study: study_lib.Study
) -> tuple[claims_lib.Claim, ...]:
  """The claims of a study's file, which its runs can decide on.

  Raises:
    UserError: there is something that no run could decide.
  """
  found = claims_lib.listed(module, study.source)
  claims_lib.check(found, results(study, claims_lib.columns(found)))
  return found


def results(
  study: study_lib.Study, columns: Collection[str]
) -> studies.StudyResults:
  """The results of a study, with a zero for every number.

  Args:
    study: the study.
    columns: of metrics.csv that the runs will have.
  """
  samples = [s for run in study.runs for s in _samples(study, run, columns)]
  return studies.StudyResults(
    path=NOWHERE,
    record={'title': study.title, 'source': study.source},
    metric=samples[0].series.metric,
    samples=tuple(samples),
    missing=(),
    axes=studies.axes_of(samples),
    prefixes=(),
  )


def _samples(study, run, columns):
  settings = run.settings
  end = sharing.on_grid(settings.num_steps, settings)
  seeds = np.arange(settings.seed, settings.seed + settings.num_seeds)
  if study.command == study_lib.DIAGNOSE:
    arms = [expression.parse(text).label for text in settings.fork.arms]
    fork = end
    if settings.fork.step >= 0:
      fork = sharing.on_grid(settings.fork.step, settings)
    end = fork + sharing.on_grid(settings.fork.horizon, settings)
    metric = settings.fork.metric
    prefix = _run(settings, seeds, 0, fork, {*columns, metric})
  else:
    arms, fork, prefix = [run.arm or 'all'], 0, None
    metric = diagnoses.DEFAULT_METRIC
  found = []
  for arm in arms:
    record = _run(settings, seeds, fork, end, {*columns, metric})
    found.append(
      studies.Sample(
        run=run.name,
        arm=arm,
        setting=studies.setting_of(run.axes),
        seeds=seeds,
        scores=np.zeros(len(seeds)),
        series=record.table.series(metric),
        margin=1.0,
        record=record,
        prefix=prefix,
      )
    )
  return found


def _run(settings, seeds, start, end, columns) -> runs.RunResults:
  """A run from one step to another; a fork is looked at where it begins."""
  times = schedule.schedule(settings)
  steps = np.arange(start, end + 1, times.segment)[int(start == 0) :]
  first = [start] if start else []
  rows = {
    'seed': np.repeat(seeds, len(steps)).astype(float),
    'step': np.tile(steps, len(seeds)).astype(float),
  }
  measured = {}
  for column in columns:
    period = {'eval': times.evaluate, 'plasticity': times.measure}.get(
      column.partition('/')[0], times.segment
    )
    here = np.isin(steps, first) | (steps % period == 0)
    measured[column] = np.tile(here, len(seeds))
    rows[column] = np.where(measured[column], 0.0, np.nan)
  return runs.RunResults(
    path=NOWHERE,
    record={'config': settings_lib.to_dict(settings)},
    table=tables.Table(NOWHERE, rows, measured),
    ledger={'total_flops': 1.0, 'seconds': 1.0},
    fork={'at_fork': dict.fromkeys(_AT_FORK, [0.0] * len(seeds))},
  )
