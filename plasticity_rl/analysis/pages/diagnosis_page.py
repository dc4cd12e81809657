"""The page of a diagnosis: the verdict first, then what it rests on."""

import math
from collections.abc import Mapping

import numpy as np

from plasticity_rl.analysis import files
from plasticity_rl.analysis import runs
from plasticity_rl.analysis import tables
from plasticity_rl.analysis.pages import figures
from plasticity_rl.analysis.pages import html
from plasticity_rl.analysis.verdict import diagnosis as diagnoses
from plasticity_rl.analysis.verdict import statistics
from plasticity_rl.analysis.verdict import verdict as verdicts

Colors = Mapping[str, int]  # Arm -> index of its colour.

_TONES = {
  verdicts.LOSING: 'arm-2',
  verdicts.HURTS: 'arm-4',
  verdicts.NO_EVIDENCE: 'arm-3',
  verdicts.UNDECIDED: 'arm-5',
}
_MEANING = {
  verdicts.LOSING: (
    'Given fresh trainable weights that changed none of its predictions,'
    ' the same agent went on to learn more. What held it back was its'
    ' ability to learn.'
  ),
  verdicts.HURTS: (
    'Fresh trainable weights made things worse, although they changed none'
    ' of the predictions at that moment. Lost plasticity is not what holds'
    ' this agent back.'
  ),
  verdicts.NO_EVIDENCE: (
    'Fresh trainable weights gained less than what was said beforehand to'
    ' matter. At this point of training the ability to learn is not what'
    ' holds this agent back.'
  ),
  verdicts.UNDECIDED: (
    'These runs cannot tell lost plasticity from none. That is a statement'
    ' about the amount of evidence, not about the agent.'
  ),
}


def build(diagnosis: diagnoses.Diagnosis) -> str:
  """`report.html` of a diagnosis."""
  colors = _colors(diagnosis)
  sections = [
    _head(diagnosis),
    _curves(diagnosis, colors),
    _differences(diagnosis, colors),
    _at_fork(diagnosis, colors),
    _through_time(diagnosis, colors),
    _compute(diagnosis, colors),
    html.record_section(
      {'The shared prefix': diagnosis.prefix.record}
      | {f'Arm {n}': r.record for n, r in diagnosis.arms.items()}
    ),
  ]
  return html.page(
    f'{diagnosis.verdict.verdict} · {diagnosis.path.resolve().name}',
    *sections,
    tone=_TONES[diagnosis.verdict.verdict],
  )


def _colors(diagnosis: diagnoses.Diagnosis) -> Colors:
  """0 for control, 1 for the injection, then the others."""
  others = iter(range(2, 2 + len(diagnosis.arms)))
  return {
    name: 0
    if name == diagnoses.CONTROL
    else 1
    if name == diagnosis.verdict.arm
    else next(others)
    for name in diagnosis.arms
  }


def _head(diagnosis: diagnoses.Diagnosis) -> html.Html:
  v = diagnosis.verdict
  prefix = diagnosis.prefix
  what = (
    f'{prefix.name_of("agent")} on {prefix.name_of("environment")}, forked at'
    f' step {diagnosis.step:,}, continued for {diagnosis.horizon:,} steps in'
    f' {len(diagnosis.arms)} arms'
  )
  tiles = []
  if v.effect is not None:
    estimate, *bounds = verdicts.interval_text(v.effect, v.low, v.high).split(
      ' ', 1
    )
    tiles = [(f'{v.arm} − control', estimate)]
    tiles += [('95 % interval', b) for b in bounds]
    tiles += [('sign-flip test', verdicts.p_text(v.p))]
  tiles += [
    ('replicates' if v.replicates else 'seeds', v.seeds),
    ('margin', f'{v.margin:g}'),
    ('metric', v.metric),
  ]
  scope = ' (for this network only)' if v.replicates else ''
  notes = [html.tag('p', n, class_='note') for n in v.notes]
  return html.join(
    [
      html.tag('p', 'Is the agent losing plasticity?', class_='eyebrow'),
      html.tag('p', what, class_='over'),
      html.tag(
        'section',
        html.tag('h1', v.verdict, scope),
        html.tag('p', _MEANING[v.verdict] if v.arm else '', class_='lead'),
        html.tag('p', v.reason, class_='quiet'),
        html.facts(tiles, 'tiles'),
        class_='verdict',
      ),
      *notes,
    ]
  )


def _points(
  diagnosis: diagnoses.Diagnosis, metric: str
) -> list[tuple[str, int, int, float]]:
  """Rows (arm, seed, step, value) of a metric, the prefix as arm 'prefix'."""
  prefix = diagnosis.prefix_series(metric)
  named = [('prefix', prefix)] if prefix is not None else []
  for name, run in diagnosis.arms.items():
    if metric in run.table.metrics:
      series = run.table.series(metric)
      named.append((name, series.between(diagnosis.step - 1, math.inf)))
  return [
    (name, int(seed), int(step), float(s.values[i, j]))
    for name, s in named
    for i, seed in enumerate(s.seeds)
    for j, step in enumerate(s.steps)
    if s.measured[i, j]
  ]


def _curve(name: str, color: int, series: tables.Series) -> figures.Curve:
  strong = color == 1  # The colour of the injection, where there is one.
  return figures.Curve(name, color, series.steps, series.values, strong)


def _curves(diagnosis: diagnoses.Diagnosis, colors: Colors) -> html.Html:
  metric = diagnosis.metric
  prefix = diagnosis.prefix_series()
  arguments = {
    'curves': [
      _curve(n, colors[n], diagnosis.after(n)) for n in diagnosis.arms
    ],
    'metric': metric,
    'fork': diagnosis.step,
    'prefix': None if prefix is None else _curve('prefix', 0, prefix),
  }
  caption = (
    'Mean over seeds; the band is a 95 % interval of the mean at each point'
    " (Student's t). All arms start from the same network, optimizer, replay,"
    ' environment and random keys. The two panels have time scales of their'
    ' own.'
  )
  rows = _points(diagnosis, metric)
  return html.join(
    [
      html.tag('h2', 'What came before and after'),
      html.chart(
        figures.learning_curves(name='curves', **arguments),
        figures.learning_curves(
          name='curves-n', width=figures.NARROW, **arguments
        ),
        caption,
        (
          'learning_curves.csv',
          files.csv_text(('arm', 'seed', 'step', metric), rows),
        ),
      ),
    ]
  )


def _differences(diagnosis: diagnoses.Diagnosis, colors: Colors) -> html.Html:
  v = diagnosis.verdict
  rows = figures.difference_rows(v, colors)
  label = f'difference in mean {v.metric} to control'
  arguments = {'rows': rows, 'label': label, 'zero': True, 'margin': v.margin}
  seeds = diagnosis.after(diagnoses.CONTROL).seeds
  data = [
    (a.arm, int(s), d)
    for a in v.arms
    for s, d in zip(seeds, a.differences, strict=True)
  ]
  body = [
    (
      html.colored('control', 0),
      v.mean_text(v.control_mean),
      '',
      '',
      '',
    )
  ]  # pyformat: disable
  for a in v.arms:
    primary = a.arm == v.arm
    body.append(
      (
        html.colored(a.arm, colors[a.arm], primary),
        v.mean_text(a.mean),
        verdicts.interval_text(a.effect, a.low, a.high),
        f'{a.p:.2g}',
        'primary' if primary else f'{a.p_holm:.2g}',
      )
    )
  many = 'replicate' if v.replicates else 'seed'
  few = v.seeds < statistics.STUDENT_BELOW
  caption = (
    f'Each dot is one {many}: the arm minus control, in mean {v.metric} over'
    f' steps {diagnosis.step:,} to {diagnosis.step + diagnosis.horizon:,}'
    ' without the fork itself. Diamond and bar: mean and 95 % interval'
    f' ({"Student’s t" if few else "studentised bootstrap"}).'
    ' p: exact sign-flip test'
    f'{"" if v.seeds <= 16 else ", by simulation"}; adjusted after Holm over'
    ' all arms but the primary one.'
  )
  header = ('arm', 'mean', 'difference [95 %]', 'p', 'p (Holm)')
  return html.join(
    [
      html.tag('h2', 'What each intervention changed'),
      html.chart(
        figures.intervals(name='differences', **arguments),
        figures.intervals(
          name='differences-n', width=figures.NARROW, **arguments
        ),
        caption,
        (
          'differences.csv',
          files.csv_text(('arm', many, 'difference'), data),
        ),
      ),
      html.table(header, body),
    ]
  )


def _first(series: tables.Series, after: int) -> np.ndarray | None:
  """Values [S] at the first step > after; None if there is none."""
  series = series.between(after, math.inf)
  return series.values[:, 0] if len(series.steps) else None


def _mean(values: np.ndarray | None) -> str:
  if values is None or not np.isfinite(values).any():
    return '–'
  return verdicts.short(float(np.nanmean(values)))


def _at_fork(diagnosis: diagnoses.Diagnosis, colors: Colors) -> html.Html:
  names = list(diagnosis.arms)
  measures = {
    'largest change of an output': {
      n: diagnosis.at_fork(n, 'largest_output_change') for n in names
    },
    'greedy actions kept': {
      n: diagnosis.at_fork(n, 'greedy_agreement') for n in names
    },
    f'{diagnosis.metric} right after': {
      n: _at(diagnosis.after(n), diagnosis.step) for n in names
    },
    f'first {diagnosis.metric} in training': {
      n: _first(diagnosis.after(n), diagnosis.step) for n in names
    },
  }
  measures = {
    k: v
    for k, v in measures.items()
    if any(x is not None and np.isfinite(x).any() for x in v.values())
  }
  panels, data = [], []
  for i, (title, by_arm) in enumerate(measures.items()):
    rows = [
      figures.IntervalRow(n, colors[n], float(np.nanmean(x)), points=x)
      for n, x in by_arm.items()
      if x is not None and np.isfinite(x).any()
    ]
    panels.append(html.small(figures.dots(rows, name=f'fork-{i}', title=title)))
    data += [
      (title, r.name, j, float(x)) for r in rows for j, x in enumerate(r.points)
    ]
  body = [
    [html.colored(n, colors[n], colors[n] == 1)]
    + [_mean(by_arm[n]) for by_arm in measures.values()]
    for n in names
  ]
  return html.join(
    [
      html.tag('h2', 'At the fork: is it exploration?'),
      html.tag(
        'p',
        'A reset changes what the agent does at once, so what it gains may be'
        ' the exploration that this brings. An injection changes no'
        ' prediction at that moment: what it gains afterwards is learning.',
      ),
      html.table(['mean over seeds', *measures], body),
      html.tag('div', *panels, class_='grid pair'),
      html.tag(
        'p',
        'Diamond: mean; dots: seeds. ',
        html.download(
          'at_fork.csv',
          files.csv_text(('measure', 'arm', 'number', 'value'), data),
        ),
        class_='quiet',
      ),
    ]
  )


def _at(series: tables.Series, step: int) -> np.ndarray | None:
  where = np.flatnonzero(series.steps == step)
  return series.values[:, where[0]] if len(where) else None


def _through_time(diagnosis: diagnoses.Diagnosis, colors: Colors) -> html.Html:
  seen = [m for r in diagnosis.arms.values() for m in r.table.metrics]
  metrics = [m for m in dict.fromkeys(seen) if m != diagnosis.metric]
  # What explains comes first; returns and losses of training follow.
  metrics.sort(key=lambda m: not m.startswith('plasticity/'))
  if not metrics:
    return html.Html('')
  panels, data = [], []
  for i, metric in enumerate(metrics):
    curves = []
    for name, run in diagnosis.arms.items():
      if metric in run.table.metrics:
        series = run.table.series(metric).between(diagnosis.step - 1, math.inf)
        if np.isfinite(series.values).any():
          curves.append(_curve(name, colors[name], series))
    if not curves:
      continue
    prefix = diagnosis.prefix_series(metric)
    panels.append(
      html.small(
        figures.small_curves(
          curves,
          name=f'time-{i}',
          title=metric.removeprefix('plasticity/'),
          prefix=None if prefix is None else _curve('prefix', 0, prefix),
          fork=diagnosis.step,
        )
      )
    )
    data += [(metric, *row) for row in _points(diagnosis, metric)]
  shown, rest = panels[:12], panels[12:]
  more = html.tag(
    'details',
    html.tag('summary', f'{len(rest)} more'),
    html.tag('div', *rest, class_='grid'),
  )
  return html.join(
    [
      html.tag('h2', 'Diagnostics through time'),
      html.legend(colors.items()),
      html.tag('div', *shown, class_='grid'),
      more if rest else '',
      html.tag(
        'p',
        'Mean over seeds with its 95 % interval; the dashed line is the fork.'
        ' None of these alone says that plasticity is lost. ',
        html.download(
          'diagnostics.csv',
          files.csv_text(('metric', 'arm', 'seed', 'step', 'value'), data),
        ),
        class_='quiet',
      ),
    ]
  )


def _amount(value: float) -> str:
  """FLOPs or seconds with a unit prefix."""
  if not math.isfinite(value):
    return '–'
  for size, unit in ((1e15, 'P'), (1e12, 'T'), (1e9, 'G'), (1e6, 'M')):
    if value >= size:
      return f'{value / size:.3g} {unit}'
  return f'{value:.3g}'


def _seconds(value: float) -> str:
  return f'{value:,.1f}' if math.isfinite(value) else '–'


def _compute(diagnosis: diagnoses.Diagnosis, colors: Colors) -> html.Html:
  named = {'shared prefix': diagnosis.prefix} | dict(diagnosis.arms)
  keys = ('act_flops', 'update_flops', 'evaluation_flops', 'total_flops')
  body, data = [], []
  for name, run in named.items():
    ledger = run.ledger or {}
    numbers = [float(ledger.get(k, math.nan)) for k in keys]
    seconds = runs.seconds(run)
    compiling = float(ledger.get('compile_seconds', math.nan))
    color = colors.get(name)
    label = name if color is None else html.colored(name, color, color == 1)
    body.append(
      (
        label,
        *map(_amount, numbers),
        _seconds(seconds),
        _seconds(compiling),
      )
    )
    data.append((name, *numbers, seconds, compiling))
  header = (
    '',
    'acting',
    'updates',
    'evaluation',
    'total FLOPs',
    'seconds',
    'of which compiling',
  )  # pyformat: disable
  columns = ('arm', *keys, 'seconds', 'compile_seconds')
  return html.join(
    [
      html.tag('h2', 'What it cost'),
      html.table(header, body),
      html.tag(
        'p',
        'FLOPs of one seed, from the lowered programs; seconds are of all'
        ' seeds. ',
        html.download('compute.csv', files.csv_text(columns, data)),
        class_='quiet',
      ),
    ]
  )
