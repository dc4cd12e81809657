"""The page of a study: what is missing, the answer, then what it rests on."""

import math
from collections.abc import Sequence

import numpy as np

from plasticity_rl.analysis import files
from plasticity_rl.analysis import runs
from plasticity_rl.analysis.pages import figures
from plasticity_rl.analysis.pages import html
from plasticity_rl.analysis.pages import study_figures
from plasticity_rl.analysis.pages import study_panels
from plasticity_rl.analysis.study import study as studies
from plasticity_rl.analysis.study import tables
from plasticity_rl.analysis.study.study import Study
from plasticity_rl.analysis.verdict import verdict as verdicts

_WIDE = 28  # Rows of a table that stand in the open.


def build(study: Study, answer: study_figures.Figure, note: str = '') -> str:
  """`report.html` of a study.

  Args:
    study: as it was loaded.
    answer: the study's own figure.
    note: said below it, such as why it is another.
  """
  sections = [
    ('answer', answer.title, _figure('answer', answer, note)),
    ('arms', 'Scores', _scores(study)),
    ('profiles', 'Performance profiles', study_panels.profiles(study)),
  ]
  bars = _bars(study, answer)
  if bars is not None:
    sections.append(('tasks', bars.title, _figure('tasks', bars)))
  for axis in study.axes:
    page = study_figures.along_axis(study, axis)
    if page.title != answer.title:
      key = f'axis-{studies.leaf(axis, list(study.axes))}'
      sections.append((key, page.title, _figure(key, page)))
  sections += [
    ('curves', 'Learning curves', study_panels.curves(study)),
    (
      'diagnostics',
      'Diagnostics through time',
      study_panels.diagnostics(study),
    ),
    ('compute', 'Compute', _compute(study)),
  ]
  shown = [s for s in sections if s[2]]
  return html.page(
    f'Study: {study.title}',
    _head(study),
    _contents(shown),
    *(
      html.tag('section', html.tag('h2', title), body, id=key)
      for key, title, body in shown
    ),
    html.record_section(
      {'The study': {**study.record.get('origin', {}), 'config': study.record}}
      | {
        f'Run {s.run}': s.record.record
        for s in list({s.run: s for s in study.samples}.values())[:1]
      }
    ),
  )  # pyformat: disable


def _head(study: Study) -> html.Html:
  done = len({s.run for s in study.samples})
  seeds = {(s.run, int(x)) for s in study.samples for x in s.seeds}
  flops, seconds = spent(study)
  parts = [
    html.tag(
      'p', f'Study: {study.record.get("source", study.path)}', class_='over'
    ),
    html.tag('h1', study.title),
    html.facts(
      [
        ('runs', f'{done} of {done + len(study.missing)}'),
        ('seeds', len(seeds)),
        ('tasks', len(study.tasks)),
        ('arms', len(study.arms)),
        ('FLOPs', _large(flops)),
        ('hours of running', f'{seconds / 3600:.2g}' if seconds else '-'),
      ],
      'tiles',
    ),
  ]  # pyformat: disable
  if study.missing:
    count = len(study.missing)
    parts.append(
      html.tag(
        'div',
        html.tag(
          'p',
          html.tag('b', f'{count} run{"s" * (count > 1)} missing'),
          ': what follows is without them.',
        ),
        html.table(
          ('run', 'state', 'last error', 'log'),
          [
            (m.name, m.state, m.error or '-', m.log or '-')
            for m in study.missing
          ],
        ),
        class_='note',
      )
    )
  return html.join(parts)


def _contents(sections) -> html.Html:
  links = [html.tag('a', title, href=f'#{key}') for key, title, _ in sections]
  return html.tag('p', html.join(links, ' · '), class_='quiet')


def _figure(name: str, one: study_figures.Figure, note: str = '') -> html.Html:
  return html.join(
    [
      html.chart(
        one.wide,
        one.narrow,
        one.caption,
        (f'{name}.csv', files.csv_text(one.header, one.rows)),
      ),
      *([html.tag('p', note, class_='note')] if note else []),
    ]
  )


def _bars(study, answer):
  """Bars of percent changes, unless they are the answer already."""
  if not study.has_control or len(tables.cells(study)) < 2:
    return None
  bars = study_figures.task_bars(study, study.arms[1])
  return None if bars.title == answer.title else bars


def _scores(study: Study) -> html.Html:
  rows = tables.aggregates(study)
  tint = study_figures.colors(study)
  where = {r.setting: studies.describe(r.setting, study.axes) for r in rows}
  several = any(where.values())
  body = [
    (
      html.colored(r.arm, tint[r.arm]),
      *([where[r.setting]] if several else []),
      verdicts.short(r.iqm.estimate),
      f'[{verdicts.short(r.iqm.low)}, {verdicts.short(r.iqm.high)}]',
      verdicts.short(r.mean),
      *([_chance(r.better)] if study.has_control else []),
      r.runs,
      r.tasks,
    )
    for r in rows
  ]  # pyformat: disable
  header = (
    '',
    *(['setting'] if several else []),
    'IQM',
    '95 %',
    'mean',
    *(['beats control'] if study.has_control else []),
    'runs',
    'tasks',
  )
  table = html.table(header, body)
  if len(body) > _WIDE:
    table = html.tag('details', html.tag('summary', f'{len(body)} rows'), table)
  said = (
    f'Interquartile mean of {study.metric}: the mean of the middle half of'
    ' all run x task scores, runs resampled within each task.'
  )
  if study.has_control:
    said += (
      ' Beats control: the probability that a run of the arm scores above a'
      ' run of the control, the mean over tasks.'
    )
  if len(study.tasks) > 1:
    said += f' {tables.NORMALISED}'
  parts = [_intervals(study, rows, tint, where)] if len(rows) <= 16 else []
  return html.join([*parts, table, html.tag('p', said, class_='quiet')])


def _intervals(study, rows, tint, where):
  unit = 'normalised ' * (len(study.tasks) > 1) + study.metric
  bars = [
    figures.IntervalRow(
      ', '.join(filter(None, (r.arm, where[r.setting]))),
      tint[r.arm],
      *r.iqm,
      strong=r.arm == 'injection',
    )
    for r in rows
  ]
  both = [
    figures.intervals(
      bars, name=f'iqm{suffix}', label=f'IQM, {unit}', width=width
    )
    for width, suffix in ((figures.WIDE, ''), (figures.NARROW, '-n'))
  ]
  data = [
    (r.arm, where[r.setting], *r.iqm, r.mean, *r.better, r.runs, r.tasks)
    for r in rows
  ]
  header = (
    'arm',
    'setting',
    'iqm',
    'iqm_low',
    'iqm_high',
    'mean',
    'better',
    'better_low',
    'better_high',
    'runs',
    'tasks',
  )
  return html.chart(*both, '', ('iqm.csv', files.csv_text(header, data)))


def _chance(better):
  if math.isnan(better.estimate):
    return '-'
  return f'{better.estimate:.2f} [{better.low:.2f}, {better.high:.2f}]'


def spent(study: Study) -> tuple[float, float]:
  """FLOPs of all seeds, and seconds, of everything that was computed.

  A run that went on from a shared prefix has that prefix in its ledger, and a
  longer prefix the one that it went on from: it is taken off again.
  """
  flops = seconds = 0.0
  prefixes = {run.path.name: run for run in study.prefixes}
  for run in _computed(study):
    before = str(run.record.get('past') or '').removeprefix('prefix-')
    parts = [
      (run, 1),
      *([(prefixes[before], -1)] if before in prefixes else []),
    ]
    for one, times in parts:
      seeds = max(1, len(run.table.seeds))
      flops += times * np.nan_to_num(runs.flops(one)) * seeds
      seconds += times * np.nan_to_num(runs.seconds(one))
  return float(flops), float(seconds)


def _computed(study: Study) -> Sequence[runs.Run]:
  """Run folders that hold what was computed, each once."""
  found = {s.record.path: s.record for s in study.samples}
  found |= {
    s.prefix.path: s.prefix for s in study.samples if s.prefix is not None
  }
  found |= {run.path: run for run in study.prefixes}
  # The prefix that a diagnosis was given is a copy of its history alone.
  return [run for run in found.values() if run.ledger]


def _large(flops: float) -> str:
  for size, unit in ((1e18, 'E'), (1e15, 'P'), (1e12, 'T'), (1e9, 'G')):
    if flops >= size:
      return f'{flops / size:.3g} {unit}'
  return f'{flops:.3g}' if flops else '-'


def _compute(study: Study) -> html.Html:
  rows = []
  for s in study.samples:
    ledger = s.record.ledger or {}
    rows.append(
      (
        s.run,
        s.arm,
        len(s.record.table.seeds),
        *(
          verdicts.short(float(ledger.get(k, math.nan)))
          for k in (
            'act_flops',
            'update_flops',
            'evaluation_flops',
            'total_flops',
            'seconds',
            'compile_seconds',
          )
        ),
        ledger.get('parameters', '-'),
        ledger.get('trainable_parameters', '-'),
      )
    )
  rows += [
    (
      f'shared prefix {run.path.name}',
      '',
      len(run.table.seeds),
      '',
      '',
      '',
      verdicts.short(runs.flops(run)),
      verdicts.short(runs.seconds(run)),
      '',
      '',
      '',
    )
    for run in study.prefixes
  ]
  header = (
    'run',
    'arm',
    'seeds',
    'acting',
    'updates',
    'evaluation',
    'FLOPs',
    'seconds',
    'compiling',
    'parameters',
    'trainable',
  )
  return html.join(
    [
      html.tag(
        'p',
        'Floating-point operations of one seed, by the ledger of'
        ' each run; seconds are of all its seeds. Those of'
        ' runs hold their whole prefix, shared or not; those of arms begin'
        ' at the fork. The sum above counts everything once.',
        class_='quiet',
      ),
      html.tag(
        'details',
        html.tag('summary', f'{len(rows)} ledgers'),
        html.table(header, rows),
      ),
      html.download('compute.csv', files.csv_text(header, rows)),
    ]
  )
