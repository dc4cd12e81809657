"""Panels of a study's page: profiles, learning curves, diagnostics."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib import figure as mpl_figure
from matplotlib import ticker

from plasticity_rl.analysis import files
from plasticity_rl.analysis.pages import axes
from plasticity_rl.analysis.pages import curves as curves_lib
from plasticity_rl.analysis.pages import figure
from plasticity_rl.analysis.pages import palette
from plasticity_rl.analysis.pages import study_figures
from plasticity_rl.analysis.pages.curves import Curve
from plasticity_rl.analysis.pages.figure import Figure
from plasticity_rl.analysis.pages.figure import Panels
from plasticity_rl.analysis.study import study as studies
from plasticity_rl.analysis.study import tables
from plasticity_rl.analysis.study.study import Sample
from plasticity_rl.analysis.study.study import StudyResults

_PANELS = 40  # More would be a wall; the data are whole.
_CELLS = 6  # Whose diagnostics are drawn.
_DIAGNOSTICS = 18
_TAUS = 121


class Profiles(NamedTuple):
  """Performance profiles, and the colours of their lines."""

  figure: Figure
  legend: list[tuple[str, int]]


class CellPanels(NamedTuple):
  """The diagnostics of some cells: (which cell, drawings) each."""

  cells: list[tuple[str, list[str]]]
  csv: str


def profiles(study: StudyResults) -> Profiles:
  """The share of runs that score above each threshold, by arm or setting."""
  pooled = len(study.arms) > 1 or len(study.settings) == 1
  groups = _by_arm(study) if pooled else _by_setting(study)
  every = np.concatenate([v for _, g in groups.values() for v in g.values()])
  margin = 0.03 * ((every.max() - every.min()) or 1.0)
  taus = np.linspace(every.min() - margin, every.max() + margin, _TAUS)
  lines = {
    name: (color, tables.profile(list(scores.values()), taus))
    for name, (color, scores) in groups.items()
  }

  def draw(width: float) -> mpl_figure.Figure:
    fig, ax = figure.panel(width, 3.2)
    for index, bounds in lines.values():
      color, strong = palette.arm_color(index), index == 1
      axes.band(ax, taus, bounds, color, strong=strong, alpha=0.1)
    ax.set_ylim(-0.02, 1.02)
    ax.set_xlabel(f'threshold, {study_figures.unit(study)}')
    ax.set_ylabel('share of runs above')
    ax.grid(axis='y')
    ax.xaxis.set_major_locator(ticker.MaxNLocator(7 if width > 6 else 4))
    return fig

  shown = Figure(
    'Performance profiles',
    *figure.both('profiles', 'performance profiles', draw),
    'The share of runs that score above a threshold, the mean over tasks;'
    ' pointwise 95 % band, runs resampled within each task.'
    + ' Over all settings.' * (pooled and len(study.settings) > 1)
    + study_figures.scale_note(study),
    ('arm', 'threshold', 'share', 'low', 'high'),
    [
      (name, *map(float, point))
      for name, (_, bounds) in lines.items()
      for point in zip(taus, *bounds, strict=True)
    ],
  )
  return Profiles(shown, [(name, color) for name, (color, _) in lines.items()])


_Groups = dict[str, tuple[int, dict[str, np.ndarray]]]


def _by_arm(study: StudyResults) -> _Groups:
  tint = study_figures.colors(study)
  return {arm: (tint[arm], tables.by_task(study, arm)) for arm in study.arms}


def _by_setting(study: StudyResults) -> _Groups:
  """Of a study with one arm; as many settings as there are colours."""
  return {
    studies.describe(setting, study.axes) or 'all': (
      i + 1,
      tables.by_task(study, study.arms[0], setting),
    )
    for i, setting in enumerate(study.settings[: palette.ARM_COUNT - 1])
  }


def curves(study: StudyResults) -> Panels:
  """A panel for each task and setting: the arms, after their prefix."""
  drawings, rows = [], []
  for i, ((task, setting), arms) in enumerate(tables.cells(study).items()):
    where = studies.describe(setting, study.axes)
    title = ', '.join(filter(None, (task * (len(study.tasks) > 1), where)))
    if i < _PANELS:
      drawings.append(
        _panel(study, arms, study.metric, f'curves-{i}', title or study.metric)
      )
    rows += [
      (task, where, arm, int(seed), int(step), float(s.series.values[k, j]))
      for arm, samples in arms.items()
      for s in samples
      for k, seed in enumerate(s.series.seeds)
      for j, step in enumerate(s.series.steps)
    ]
  header = ('task', 'setting', 'arm', 'seed', 'step', study.metric)
  return Panels(drawings, files.csv_text(header, rows))


def diagnostics(study: StudyResults) -> CellPanels | None:
  """A panel for each diagnostic, of the first cells; others in the data."""
  measured = study.samples[0].record.table.metrics
  names = [n for n in measured if n.startswith('plasticity/')][:_DIAGNOSTICS]
  if not names:
    return None
  cells: list[tuple[str, list[str]]] = []
  rows: list[Sequence[object]] = []
  for i, ((task, setting), arms) in enumerate(tables.cells(study).items()):
    where = ', '.join(
      filter(None, (task, studies.describe(setting, study.axes)))
    )
    drawings = []
    for j, name in enumerate(names):
      lines = _lines(study, arms, name)
      if lines and i < _CELLS:
        title = name.removeprefix('plasticity/')
        drawings.append(_panel(study, arms, name, f'd-{i}-{j}', title))
      rows += [
        (where, line.name, name, int(step), float(mean))
        for line in lines
        for step, mean in zip(line.steps, line.bands()[0], strict=True)
      ]
    if i < _CELLS:
      cells.append((where, drawings))
  header = ('cell', 'arm', 'diagnostic', 'step', 'mean')
  return CellPanels(cells, files.csv_text(header, rows))


_Arms = Mapping[str, Sequence[Sample]]


def _panel(
  study: StudyResults, arms: _Arms, metric: str, name: str, title: str
) -> str:
  """A metric of the arms of a cell, after what came before the fork."""
  lines = _lines(study, arms, metric)
  before = _prefix(arms, metric)
  fork = int(lines[0].steps[0]) if before is not None else None
  return curves_lib.small_curves(
    lines, name=name, title=title, prefix=before, fork=fork
  )


def _lines(study: StudyResults, arms: _Arms, metric: str) -> list[Curve]:
  """A curve for each arm of a cell that has the metric, control first."""
  tint = study_figures.colors(study)
  return [
    curve(arm, tint[arm], arms[arm], metric)
    for arm in study.arms
    if arm in arms and all(metric in s.record.table.metrics for s in arms[arm])
  ]


def curve(
  name: str, color: int, samples: Iterable[Sample], metric: str
) -> Curve:
  """Seeds of several runs at the steps that all of them have."""
  series = [s.measured(metric) for s in samples]
  steps = series[0].steps
  for one in series[1:]:
    steps = np.intersect1d(steps, one.steps)
  values = [s.values[:, np.isin(s.steps, steps)] for s in series]
  return Curve(
    name, color, steps, np.concatenate(values), strong=name == 'injection'
  )


def _prefix(arms: _Arms, metric: str) -> Curve | None:
  """The curve before the fork, of the first arm's runs; None without."""
  samples = next(iter(arms.values()))
  found = [
    s.prefix.table.series(metric)
    for s in samples
    if s.prefix is not None and metric in s.prefix.table.metrics
  ]
  if not found or any(len(f.steps) != len(found[0].steps) for f in found):
    return None
  values = np.concatenate([f.values for f in found])
  return Curve('before', 0, found[0].steps, values)
