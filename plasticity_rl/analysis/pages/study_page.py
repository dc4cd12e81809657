"""The page of a study: what is missing, the answer, then what it rests on."""

import math
from collections.abc import Sequence

from plasticity_rl.analysis import files
from plasticity_rl.analysis import runs
from plasticity_rl.analysis import wording
from plasticity_rl.analysis.pages import intervals
from plasticity_rl.analysis.pages import study_figures
from plasticity_rl.analysis.pages import study_panels
from plasticity_rl.analysis.pages import template
from plasticity_rl.analysis.pages.figure import Figure
from plasticity_rl.analysis.study import compute
from plasticity_rl.analysis.study import study as studies
from plasticity_rl.analysis.study import tables
from plasticity_rl.analysis.study.claims import Judged
from plasticity_rl.analysis.study.file import StudyFile
from plasticity_rl.analysis.study.study import StudyResults
from plasticity_rl.errors import UserError

_BARS = 16  # Arms and settings whose scores are drawn.
_COMPUTE = (
  'run,arm,seeds,acting,updates,evaluation,FLOPs,seconds,compiling,parameters,'
  'trainable'
).split(',')


def answer(study: StudyResults, file: StudyFile) -> tuple[Figure, str]:
  """The study's own figure, or that of studies in general and why."""
  note = file.note
  if file.figure is not None:
    try:
      return file.figure(study), note
    except UserError as error:  # Such as an axis of which one value is there.
      note = f"The study's own figure cannot be drawn yet: {error}."
  return study_figures.default(study), note


def build(
  study: StudyResults,
  file: StudyFile | None = None,
  judged: Sequence[Judged] = (),
) -> str:
  """`report.html` of a study.

  Args:
    study: as it was loaded.
    file: that it was launched from.
    judged: its claims.
  """
  file = file or StudyFile()
  shown, note = answer(study, file)
  scores = tables.aggregates(study)
  where = {r.setting: studies.describe(r.setting, study.axes) for r in scores}
  compute_rows = _compute(study)
  flops, seconds = compute.spent(study)
  return template.render(
    'study',
    study=study,
    colors=study_figures.colors(study),
    done=len({s.run for s in study.samples}),
    seeds=len({(s.run, int(x)) for s in study.samples for x in s.seeds}),
    flops=flops,
    seconds=seconds,
    answer=shown,
    note=note,
    judged=judged,
    decided=file.decided,
    scores=scores,
    where=where,
    iqm=_iqm(study, scores, where) if len(scores) <= _BARS else None,
    scale_note=study_figures.scale_note(study),
    profiles=study_panels.profiles(study),
    bars=_bars(study, shown),
    along=_along(study, shown),
    curves=study_panels.curves(study),
    cells=len(tables.cells(study)),
    diagnostics=study_panels.diagnostics(study),
    compute_header=_COMPUTE,
    compute_rows=compute_rows,
    compute_csv=files.csv_text(_COMPUTE, compute_rows),
    records={
      'The study': {**study.record.get('origin', {}), 'config': study.record},
      f'Run {study.samples[0].run}': first_record(study),
    },
  )


def first_record(study: StudyResults) -> dict:
  """Of the first run; of its last arm, if it has several."""
  run = study.samples[0].run
  return [s for s in study.samples if s.run == run][-1].record.record


def _bars(study: StudyResults, answer: Figure) -> Figure | None:
  """Bars of percent changes, unless they are the answer already."""
  if not study.has_control or len(tables.cells(study)) < 2:
    return None
  bars = study_figures.task_bars(study, study.arms[1])
  return None if bars.title == answer.title else bars


def _along(study: StudyResults, answer: Figure) -> dict[str, Figure]:
  """Figures by the axis of the study, but for the answer; by their anchors."""
  found = {}
  for axis in study.axes:
    one = study_figures.along_axis(study, axis)
    if one.title != answer.title:
      found[f'axis-{studies.leaf(axis, list(study.axes))}'] = one
  return found


def _iqm(
  study: StudyResults,
  rows: list[tables.Aggregate],
  where: dict[studies.Setting, str],
) -> Figure:
  tint = study_figures.colors(study)
  bars = [
    intervals.IntervalRow(
      ', '.join(filter(None, (r.arm, where[r.setting]))),
      tint[r.arm],
      *r.iqm,
      strong=r.arm == 'injection',
    )
    for r in rows
  ]
  label = f'IQM, {study_figures.unit(study)}'
  return Figure(
    'Scores',
    *intervals.intervals(bars, name='iqm', label=label),
    '',
    (
      'arm,setting,iqm,iqm_low,iqm_high,mean,better,better_low,better_high,'
      'runs,tasks'
    ).split(','),
    [
      (r.arm, where[r.setting], *r.iqm, r.mean, *r.better, r.runs, r.tasks)
      for r in rows
    ],
  )


def _compute(study: StudyResults) -> list[tuple[object, ...]]:
  """A row of `_COMPUTE` for each ledger."""
  keys = ('act_flops', 'update_flops', 'evaluation_flops', 'total_flops')
  keys += ('seconds', 'compile_seconds')
  rows: list[tuple[object, ...]] = []
  for s in study.samples:
    ledger = s.record.ledger or {}
    numbers = [float(ledger.get(k, math.nan)) for k in keys]
    texts = [wording.short(number) for number in numbers]
    sizes = [ledger.get(k, '-') for k in ('parameters', 'trainable_parameters')]
    rows.append((s.run, s.arm, len(s.record.table.seeds), *texts, *sizes))
  for run in study.prefixes:
    spent = [wording.short(f(run)) for f in (runs.flops, runs.seconds)]
    name = f'shared prefix {run.path.name}'
    rows.append(
      (name, '', len(run.table.seeds), '', '', '', *spent, '', '', '')
    )
  return rows
