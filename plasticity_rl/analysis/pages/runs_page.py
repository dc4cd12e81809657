"""The page of several plain runs: aggregate scores, then learning curves."""

from collections.abc import Mapping, Sequence

from plasticity_rl.analysis import files
from plasticity_rl.analysis import runs
from plasticity_rl.analysis.pages import figures
from plasticity_rl.analysis.pages import html
from plasticity_rl.analysis.study import scores as scoring
from plasticity_rl.analysis.verdict import verdict as verdicts

_Key = tuple[str, str]  # Algorithm and arm.


def build(
  loaded: Sequence[runs.Run],
  groups: Sequence[runs.Group],
  rows: Sequence[scoring.Summary],
  *,
  metric: str,
  resampling: str,
  notes: Sequence[str] = (),
) -> str:
  """`report.html` of run folders."""
  labels = {(r.algorithm, r.arm): f'{r.algorithm}, {r.arm}' for r in rows}
  if len({r.algorithm for r in rows}) == 1:
    labels = {key: key[1] for key in labels}
  if len(labels) == 1:
    labels = {key: key[0] for key in labels}
  # No run is the control here: every colour but its grey is free.
  colors = {key: i + 1 for i, key in enumerate(labels)}
  tasks = list(dict.fromkeys(g.task for g in groups))
  seeds = sum(len(g.seeds) for g in groups)
  sections = [
    html.tag('p', 'Report of runs', class_='over'),
    html.tag('h1', ', '.join(tasks)),
    html.tag(
      'p',
      f'{len(loaded)} run folder{"s" * (len(loaded) > 1)}, {seeds} seeds,'
      f' compared in {metric} at step {runs.common_step(groups):,}, the'
      ' last that all of them reached.',
      class_='lead',
    ),
    *(html.tag('p', n, class_='note') for n in notes),
    _aggregate(rows, labels, colors, metric, resampling),
    *(
      _curves([g for g in groups if g.task == t], t, i, labels, colors, metric)
      for i, t in enumerate(tasks)
    ),
    html.record_section({str(r.path): r.record for r in loaded}),
  ]  # pyformat: disable
  return html.page(f'Report: {", ".join(tasks)}', *sections)


def _aggregate(
  rows: Sequence[scoring.Summary],
  labels: Mapping[_Key, str],
  colors: Mapping[_Key, int],
  metric: str,
  resampling: str,
) -> html.Html:
  bars = [
    figures.IntervalRow(
      labels[r[:2]],
      colors[r[:2]],
      r.iqm,
      r.iqm_low,
      r.iqm_high,
      text=f'{verdicts.short(r.iqm)} [{verdicts.short(r.iqm_low)},'
      f' {verdicts.short(r.iqm_high)}]',
    )
    for r in rows
  ]
  arguments = {'rows': bars, 'label': f'interquartile mean of {metric}'}
  drawn = {
    'pooled': 'all scores drawn from one pool',
    'stratified': 'runs drawn within each task',
  }[resampling]
  caption = (
    'Interquartile mean: the mean of the middle half of all run x task'
    f' scores; 95 % percentile bootstrap, {drawn}.'
    ' Scores of different tasks are taken as they are: their scales should'
    ' agree.'
  )
  body = [
    (
      html.colored(labels[r[:2]], colors[r[:2]]),
      *map(verdicts.short, r[2:7]),
      r.runs,
      r.tasks,
    )
    for r in rows
  ]
  header = ('', 'IQM', 'low', 'high', 'mean', 'median', 'runs', 'tasks')
  return html.join(
    [
      html.tag('h2', 'Aggregate scores'),
      html.chart(
        figures.intervals(name='iqm', **arguments),
        figures.intervals(name='iqm-n', width=figures.NARROW, **arguments),
        caption,
        ('summary.csv', scoring.to_csv(rows)),
      ),
      html.table(header, body),
    ]
  )


def _curves(
  groups: Sequence[runs.Group],
  task: str,
  number: int,
  labels: Mapping[_Key, str],
  colors: Mapping[_Key, int],
  metric: str,
) -> html.Html:
  curves = [
    figures.Curve(
      labels[g.algorithm, g.arm],
      colors[g.algorithm, g.arm],
      g.steps,
      g.values,
    )
    for g in groups
  ]
  data = [
    (g.algorithm, g.arm, int(seed), int(step), float(g.values[i, j]))
    for g in groups
    for i, seed in enumerate(g.seeds)
    for j, step in enumerate(g.steps)
  ]
  name = f'curves-{number}'
  return html.join(
    [
      html.tag('h2', f'Learning curves: {task}'),
      html.chart(
        figures.learning_curves(curves, name=name, metric=metric),
        figures.learning_curves(
          curves, name=f'{name}-n', metric=metric, width=figures.NARROW
        ),
        "Mean over seeds with its 95 % interval (Student's t).",
        (
          f'{name}.csv',
          files.csv_text(('algorithm', 'arm', 'seed', 'step', metric), data),
        ),
      ),
    ]
  )
