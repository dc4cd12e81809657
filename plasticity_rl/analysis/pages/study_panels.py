"""Panels of a study's page: profiles, learning curves, diagnostics."""

from collections.abc import Iterable, Sequence

import numpy as np
from matplotlib import figure
from matplotlib import ticker

from plasticity_rl.analysis import files
from plasticity_rl.analysis.pages import figures
from plasticity_rl.analysis.pages import html
from plasticity_rl.analysis.pages import study_figures
from plasticity_rl.analysis.pages import svg
from plasticity_rl.analysis.study import study as studies
from plasticity_rl.analysis.study import tables
from plasticity_rl.analysis.study.study import Sample
from plasticity_rl.analysis.study.study import Study

_PANELS = 40  # More would be a wall; the data are whole.
_TAUS = 121


def profiles(study: Study) -> html.Html:
  """The share of runs that score above each threshold, by arm or setting."""
  tint = study_figures.colors(study)
  if len(study.arms) > 1 or len(study.settings) == 1:
    groups = {
      arm: (tint[arm], tables.by_task(study, arm)) for arm in study.arms
    }
    pooled = len(study.settings) > 1
  else:
    shown = study.settings[: svg.ARM_COUNT - 1]
    groups = {
      studies.describe(s, study.axes) or 'all': (
        i + 1,
        tables.by_task(study, study.arms[0], s),
      )
      for i, s in enumerate(shown)
    }
    pooled = False
  every = np.concatenate([v for _, g in groups.values() for v in g.values()])
  margin = 0.03 * ((every.max() - every.min()) or 1.0)
  taus = np.linspace(every.min() - margin, every.max() + margin, _TAUS)
  lines = {
    name: (color, tables.profile(list(scores.values()), taus))
    for name, (color, scores) in groups.items()
  }
  several = len(study.tasks) > 1
  unit = 'normalised ' * several + study.metric
  both = [
    _profile(lines, taus, unit, width, f'profiles{suffix}')
    for width, suffix in ((figures.WIDE, ''), (figures.NARROW, '-n'))
  ]
  said = (
    'The share of runs that score above a threshold, the mean over tasks;'
    ' pointwise 95 % band, runs resampled within each task.'
    + ' Over all settings.' * pooled
    + f' {tables.NORMALISED}' * several
  )
  rows = [
    (name, float(t), *(float(v[i]) for v in line))
    for name, (_, line) in lines.items()
    for i, t in enumerate(taus)
  ]
  return html.join(
    [
      html.chart(
        *both,
        said,
        (
          'profiles.csv',
          files.csv_text(('arm', 'threshold', 'share', 'low', 'high'), rows),
        ),
      ),
      html.legend([(name, color) for name, (color, _) in lines.items()]),
    ]
  )


def _profile(lines, taus, unit, width, name):
  with svg.style():
    fig = figure.Figure((width, 3.2), layout='constrained')
    ax = fig.subplots()
    for color, (share, low, high) in lines.values():
      mark = svg.arm_color(color)
      ax.fill_between(taus, low, high, color=mark, alpha=0.1, linewidth=0)
      ax.plot(taus, share, color=mark, linewidth=2 if color == 1 else 1.6)
    ax.set_ylim(-0.02, 1.02)
    ax.set_xlabel(f'threshold, {unit}')
    ax.set_ylabel('share of runs above')
    ax.grid(axis='y')
    ax.xaxis.set_major_locator(ticker.MaxNLocator(7 if width > 6 else 4))
    return svg.render(fig, name, 'performance profiles')


def curves(study: Study) -> html.Html:
  """A panel for each task and setting: the arms, after their prefix."""
  panels, rows = [], []
  tint = study_figures.colors(study)
  for i, ((task, setting), arms) in enumerate(tables.cells(study).items()):
    where = studies.describe(setting, study.axes)
    title = ', '.join(filter(None, (task * (len(study.tasks) > 1), where)))
    lines = [
      _curve(arm, tint[arm], arms[arm], study.metric)
      for arm in study.arms
      if arm in arms
    ]
    before = _prefix(arms, study.metric)
    fork = int(lines[0].steps[0]) if before is not None else None
    if i < _PANELS:
      panels.append(
        html.small(
          figures.small_curves(
            lines,
            name=f'curves-{i}',
            title=title or study.metric,
            prefix=before,
            fork=fork,
          )
        )
      )
    for arm, samples in arms.items():
      rows += [
        (task, where, arm, int(seed), int(step), float(s.series.values[k, j]))
        for s in samples
        for k, seed in enumerate(s.series.seeds)
        for j, step in enumerate(s.series.steps)
      ]
  more = len(tables.cells(study)) - len(panels)
  return html.join(
    [
      html.legend([(arm, tint[arm]) for arm in study.arms]),
      html.tag('div', *panels, class_='grid'),
      html.tag(
        'p',
        f'{study.metric} over steps: mean over seeds and its 95 % interval '
        f"(Student's t). {f'{more} more are in the data. ' * (more > 0)}",
        html.download(
          'curves.csv',
          files.csv_text(
            ('task', 'setting', 'arm', 'seed', 'step', study.metric), rows
          ),
        ),
        class_='quiet',
      ),
    ]
  )


def _curve(
  name: str, color: int, samples: Iterable[Sample], metric: str
) -> figures.Curve:
  """Seeds of several runs at the steps that all of them have."""
  series = [s.measured(metric) for s in samples]
  steps = series[0].steps
  for one in series[1:]:
    steps = np.intersect1d(steps, one.steps)
  values = [s.values[:, np.isin(s.steps, steps)] for s in series]
  return figures.Curve(
    name, color, steps, np.concatenate(values), strong=name == 'injection'
  )


def _prefix(arms, metric):
  """The curve before the fork, of the first arm's runs; None without."""
  samples = next(iter(arms.values()))
  found = [
    s.prefix.table.series(metric)
    for s in samples
    if s.prefix is not None and metric in s.prefix.table.metrics
  ]
  if not found or any(len(f.steps) != len(found[0].steps) for f in found):
    return None
  return figures.Curve(
    'before', 0, found[0].steps, np.concatenate([f.values for f in found])
  )


def diagnostics(study: Study) -> html.Html:
  """A panel for each diagnostic, of the first cell: the others in the data."""
  names = _diagnostics(study)
  if not names:
    return html.Html('')
  tint = study_figures.colors(study)
  parts: list[object] = [html.legend([(arm, tint[arm]) for arm in study.arms])]
  rows: list[Sequence[object]] = []
  for i, ((task, setting), arms) in enumerate(tables.cells(study).items()):
    where = ', '.join(
      filter(None, (task, studies.describe(setting, study.axes)))
    )
    panels = []
    for j, name in enumerate(names):
      lines = [
        _curve(arm, tint[arm], samples, name)
        for arm, samples in sorted(
          arms.items(), key=lambda x: study.arms.index(x[0])
        )
        if all(name in s.record.table.metrics for s in samples)
      ]
      if not lines:
        continue
      before = _prefix(arms, name)
      panels.append(
        html.small(
          figures.small_curves(
            lines,
            name=f'd-{i}-{j}',
            title=name.removeprefix('plasticity/'),
            prefix=before,
            fork=int(lines[0].steps[0]) if before is not None else None,
          )
        )
      )
      rows += [
        (where, line.name, name, int(step), float(mean))
        for line in lines
        for step, mean in zip(line.steps, line.bands()[0], strict=True)
      ]
    if i < 6:
      head = html.tag('summary', where)
      body = html.tag('div', *panels, class_='grid')
      opened = {'open': ''} if i == 0 else {}
      parts.append(html.tag('details', head, body, **opened))
  parts.append(
    html.download(
      'diagnostics.csv',
      files.csv_text(('cell', 'arm', 'diagnostic', 'step', 'mean'), rows),
    )
  )
  return html.join(parts)


def _diagnostics(study):
  """Those of the first sample, the plain ones first; not too many."""
  found = [
    n
    for n in study.samples[0].record.table.metrics
    if n.startswith('plasticity/')
  ]
  return found[:18]
