"""Figures that answer a study's question; its file names one of them.

Each takes a study and returns a `Figure`. A study file ends with, for example:

  def figure(study):
    from plasticity_rl.analysis.pages import study_figures

    return study_figures.along_axis(study, 'fork.step')
"""

import dataclasses
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from matplotlib import axes as mpl_axes
from matplotlib import figure
from matplotlib import ticker
from scipy import stats

from plasticity_rl.analysis import runs
from plasticity_rl.analysis.pages import figures
from plasticity_rl.analysis.pages import svg
from plasticity_rl.analysis.study import study as studies
from plasticity_rl.analysis.study import tables
from plasticity_rl.analysis.study.study import Study
from plasticity_rl.analysis.verdict import statistics
from plasticity_rl.analysis.verdict import verdict as verdicts
from plasticity_rl.errors import UserError
from plasticity_rl.errors import nearest


@dataclasses.dataclass(frozen=True)
class Figure:
  """A figure with its data.

  Attributes:
    title: what it shows, as a heading.
    wide: SVG text.
    narrow: the same for phones, or None.
    caption: what is drawn, with the formula.
    header: of the data.
    rows: of the data.
  """

  title: str
  wide: str
  narrow: str | None
  caption: str
  header: Sequence[str]
  rows: Sequence[Sequence[Any]]


def colors(study: Study) -> dict[str, int]:
  """An index a arm: 0 for the control, 1 for the injection."""
  others = itertools.count(2)
  fixed = {studies.CONTROL: 0, 'injection': 1, 'all': 1}
  return {
    arm: fixed[arm] if arm in fixed else next(others) for arm in study.arms
  }


def _both(draw: Callable[[float, str], str]) -> tuple[str, str]:
  return draw(figures.WIDE, ''), draw(figures.NARROW, '-n')


def _need_control(study: Study, arm: str = '') -> None:
  if not study.has_control:
    raise UserError('this figure compares arms with a control: there is none')
  if arm and arm not in study.arms:
    raise UserError(nearest('arm', arm, study.arms))


def _need_axis(study: Study, axis: str) -> None:
  if axis not in study.axes:
    raise UserError(nearest('axis of the study', axis, study.axes))


def task_bars(study: Study, arm: str = 'injection') -> Figure:
  """Percent change of an arm on each task, or in each setting; sorted."""
  _need_control(study, arm)
  found = sorted(
    (g for g in tables.gains(study) if g.arm == arm),
    key=lambda g: g.percent.estimate,
    reverse=True,
  )
  names = [_cell_name(study, g) for g in found]

  def draw(width, suffix):
    with svg.style():
      fig = figure.Figure(
        (width, 0.9 + 0.34 * len(found)), layout='constrained'
      )
      ax = fig.subplots()
      for i, g in enumerate(found):
        mark = _sure_color(g)
        ax.barh(i, g.percent.estimate, height=0.62, color=mark, alpha=0.75)
        if math.isfinite(g.percent.low):
          ax.plot(g.percent[1:], [i, i], color=svg.FOREGROUND, linewidth=1.2)
        if width > 6:
          ax.annotate(
            f'{g.percent.estimate:+.0f} %',
            (1.01, i),
            xycoords=('axes fraction', 'data'),
            va='center',
            fontsize=9.5,
            annotation_clip=False,
          )  # pyformat: disable
      ax.axvline(0, color=svg.FOREGROUND, linewidth=1.1)
      ax.set_ylim(len(found) - 0.4, -0.6)
      ax.set_yticks(range(len(found)), names)
      ax.tick_params(axis='y', labelcolor=svg.FOREGROUND)
      ax.xaxis.set_major_locator(ticker.MaxNLocator(7 if width > 6 else 4))
      ax.grid(axis='x')
      ax.set_xlabel(f'change by {arm}, % of the control')
      return svg.render(fig, f'task-bars-{_id(arm)}{suffix}', 'percent change')

  return Figure(
    f'What {arm} changes, '
    + ('task by task' if len(study.tasks) > 1 else 'setting by setting'),
    *_both(draw),
    f'{tables.PERCENT} Line: 95 % interval of the mean paired difference over'
    ' seeds, on the same scale. Strong bars: the interval excludes zero.',
    (
      'task',
      'setting',
      'arm',
      'control',
      'mean',
      'difference',
      'low',
      'high',
      'p',
      'percent',
      'percent_low',
      'percent_high',
      'seeds',
    ),
    [
      (
        g.task,
        studies.describe(g.setting, study.axes),
        g.arm,
        g.control,
        g.mean,
        *g.interval,
        g.p,
        *g.percent,
        len(g.differences),
      )
      for g in found
    ],
  )


def _sure_color(gain: tables.Gain) -> str:
  if gain.interval.low > 0:
    return svg.arm_color(1)
  if gain.interval.high < 0:
    return svg.arm_color(2)
  return svg.MUTED


def _cell_name(study, gain):
  where = studies.describe(gain.setting, study.axes)
  parts = [gain.task] if len(study.tasks) > 1 or not where else []
  return ', '.join(parts + ([where] if where else []))


def _id(text: str) -> str:
  return ''.join(c if c.isalnum() else '-' for c in text)


def arms(study: Study) -> Figure:
  """The gain of every arm over the control, over all cells."""
  _need_control(study)
  scale, tint = tables.normaliser(study), colors(study)
  rows, data = [], []
  for arm in study.arms[1:]:
    own = [g for g in tables.gains(study) if g.arm == arm]
    if not own:
      continue
    flat = np.concatenate([g.differences / scale[g.task][1] for g in own])
    interval = statistics.paired_difference(flat)
    p = statistics.sign_flip_test(flat)
    rows.append(
      figures.IntervalRow(
        arm,
        tint[arm],
        *interval,
        points=flat if len(flat) <= 60 else (),
        text=f'{verdicts.interval_text(*interval)}, {verdicts.p_text(p)}',
        strong=arm == 'injection',
      )
    )
    data.append((arm, *interval, p, len(flat)))
  several = len(study.tasks) > 1

  def draw(width, suffix):
    return figures.intervals(
      rows,
      name=f'arms{suffix}',
      zero=True,
      width=width,
      label=f'difference to control, {_unit(study)}',
    )

  return Figure(
    'Every arm against the control',
    *_both(draw),
    'Paired difference over seeds (dots) and its 95 % interval; sign-flip p,'
    ' not adjusted for the number of arms.'
    + (f' {tables.NORMALISED}' if several else ''),
    ('arm', 'difference', 'low', 'high', 'p', 'pairs'),
    data,
  )


def _unit(study: Study) -> str:
  several = len(study.tasks) > 1
  return f'normalised {study.metric}' if several else study.metric


def along_axis(
  study: Study, axis: str, which: Sequence[str] | None = None
) -> Figure:
  """Gain over the control by the value of an axis; scores without one."""
  _need_axis(study, axis)
  gain, tint = study.has_control, colors(study)
  listed = which or (study.arms[1:] if gain else study.arms)
  every = {a: tables.along(study, axis, a, gain=gain) for a in listed}
  # An arm may lack the axis, or its control, while a study is half done.
  lines = {arm: line for arm, line in every.items() if line}
  values = study.axes[axis]
  numbers = all(
    isinstance(v, int | float) and not isinstance(v, bool) for v in values
  )
  places = np.array(values, float) if numbers else np.arange(len(values))
  log = bool(numbers and min(values) > 0 and max(values) >= 20 * min(values))
  name = studies.leaf(axis, list(study.axes))

  def draw(width, suffix):
    with svg.style():
      fig = figure.Figure(
        (width, 3.7 if width > 6 else 3.4), layout='constrained'
      )
      ax = fig.subplots()
      if gain:
        ax.axhline(0, color=svg.FOREGROUND, linewidth=1.1)
      if log:
        ax.set_xscale('log')
      for arm, line in lines.items():
        _draw_line(
          ax,
          line,
          dict(zip(values, places, strict=True)),
          svg.arm_color(tint[arm]),
          arm == 'injection',
        )
      _name_lines(ax, lines, tint)
      ax.grid(axis='y')
      ax.set_xticks(places, [_tick(v) for v in values], minor=False)
      ax.minorticks_off()
      ax.set_xlabel(name)
      ax.set_ylabel(
        f'gain over control, {_unit(study)}' if gain else _unit(study)
      )
      return svg.render(fig, f'along-{_id(axis)}{suffix}', f'by {name}')

  said = 'Paired difference to the control' if gain else 'Mean'
  return Figure(
    f'{"Gain" if gain else "Score"} by {name}',
    *_both(draw),
    f'{said}, its 95 % interval over seeds'
    + (', tasks' if len(study.tasks) > 1 else '')
    + (' and the other axes' if len(study.axes) > 1 else '')
    + f" (Student's t): {', '.join(lines)}."
    + (f' {tables.NORMALISED}' if len(study.tasks) > 1 else ''),
    ('arm', name, 'mean', 'low', 'high', 'samples'),
    [
      (arm, studies.text(value), *interval, len(flat))
      for arm, line in lines.items()
      for value, interval, flat in line
    ],
  )


def _draw_line(ax: mpl_axes.Axes, line, places, color, strong):
  x = [places[value] for value, _, _ in line]
  mean, low, high = np.array([i for _, i, _ in line], float).T
  if np.isfinite(low).any():
    ax.fill_between(x, low, high, color=color, alpha=0.14, linewidth=0)
  ax.plot(
    x,
    mean,
    color=color,
    marker='o',
    markersize=4.5,
    linewidth=2.2 if strong else 1.7,
    zorder=4 if strong else 3,
  )


def _name_lines(ax, lines, tint):
  """Names beside the last points, in their colours, pushed apart."""
  ends = {arm: line[-1][1].estimate for arm, line in lines.items() if line}
  low, high = ax.get_ylim()
  apart = svg.spread(ends.values(), 0.07 * (high - low))
  for arm, place in zip(ends, apart, strict=True):
    ax.annotate(
      arm,
      (1.01, (place - low) / (high - low)),
      xycoords='axes fraction',
      va='center',
      color=svg.arm_color(tint[arm]),
      fontsize=9.5,
      annotation_clip=False,
      in_layout=True,
    )  # pyformat: disable


def _tick(value):
  if isinstance(value, int | float) and abs(value) >= 1000:
    return figures.compact(value)
  return studies.text(value)


def by_compute(study: Study) -> Figure:
  """Score of each arm against the FLOPs of a seed."""
  tint, scale = colors(study), tables.normaliser(study)
  points = []
  for (arm, setting), samples in _groups(study).items():
    flops = [runs.flops(s.record) for s in samples]
    values = np.concatenate(
      [(s.scores - scale[s.task][0]) / scale[s.task][1] for s in samples]
    )
    points.append(
      (arm, setting, float(np.mean(flops)), statistics.student_interval(values))
    )

  def draw(width, suffix):
    with svg.style():
      fig = figure.Figure((width, 3.9), layout='constrained')
      ax = fig.subplots()
      for arm, _, flops, (mean, low, high) in points:
        color = svg.arm_color(tint[arm])
        if math.isfinite(low):
          ax.plot(
            [flops] * 2,
            [low, high],
            color=color,
            linewidth=4,
            alpha=0.35,
            solid_capstyle='butt',
          )
        ax.plot([flops], [mean], 'D', color=color, markersize=7)
        ax.annotate(
          arm,
          (flops, mean),
          xytext=(8, 5),
          textcoords='offset points',
          color=color,
          fontsize=9.5,
        )  # pyformat: disable
      ax.grid()
      ax.margins(x=0.16, y=0.14)
      ax.set_xlabel('FLOPs of a seed, acting, updates and evaluation')
      ax.set_ylabel(_unit(study))
      ax.xaxis.set_major_formatter(ticker.FuncFormatter(_flops))
      return svg.render(fig, f'compute-{suffix}', 'score by compute')

  return Figure(
    'Score against compute',
    *_both(draw),
    "Mean and 95 % interval over runs (Student's t) against the FLOPs of one"
    ' seed, by the ledger of each run: the prefix counts in full for every arm.'
    + (f' {tables.NORMALISED}' if len(study.tasks) > 1 else ''),
    ('arm', 'setting', 'flops', 'mean', 'low', 'high'),
    [
      (arm, studies.describe(setting, study.axes), flops, *interval)
      for arm, setting, flops, interval in points
    ],
  )


def _flops(value, _=None):
  for size, unit in ((1e15, 'P'), (1e12, 'T'), (1e9, 'G'), (1e6, 'M')):
    if abs(value) >= size:
      return f'{value / size:g} {unit}'
  return f'{value:g}'


def _groups(study):
  found: dict = {}
  for s in study.samples:
    found.setdefault((s.arm, s.setting), []).append(s)
  return found


def grid(
  study: Study,
  x: str,
  y: str,
  panels: str | None = None,
  arm: str = 'injection',
) -> Figure:
  """Gain of an arm over two axes, a panel for each value of a third."""
  _need_control(study, arm)
  for axis in filter(None, (x, y, panels)):
    _need_axis(study, axis)
  scale = tables.normaliser(study)
  shown = study.axes[panels] if panels else (None,)
  found = [g for g in tables.gains(study) if g.arm == arm]
  values = np.full((len(shown), len(study.axes[y]), len(study.axes[x])), np.nan)
  for k, j, i in np.ndindex(values.shape):
    want = {x: study.axes[x][i], y: study.axes[y][j]}
    if panels:
      want[panels] = shown[k]
    here = [
      g.differences / scale[g.task][1]
      for g in found
      if all(dict(g.setting).get(a) == v for a, v in want.items())
    ]
    if here:
      values[k, j, i] = np.concatenate(here).mean()
  names = [studies.leaf(a, list(study.axes)) for a in (x, y)]
  third = studies.leaf(panels, list(study.axes)) if panels else ''

  def draw(width, suffix):
    across = width > 6
    shape = (1, len(shown)) if across else (len(shown), 1)
    height = 2.9 if across else 2.5 * len(shown)
    with svg.style():
      fig = figure.Figure((width, height), layout='constrained')
      many = fig.subplots(*shape, squeeze=False).ravel()
      largest = np.nanmax(np.abs(values)) if np.isfinite(values).any() else 1
      for k, ax in enumerate(many):
        _heat(ax, values[k], largest or 1.0)
        ax.set_xticks(range(values.shape[2]), [_tick(v) for v in study.axes[x]])
        ax.set_yticks(range(values.shape[1]), [_tick(v) for v in study.axes[y]])
        ax.set_xlabel(names[0])
        if k == 0 or not across:
          ax.set_ylabel(names[1])
        if panels:
          ax.set_title(f'{third} {_tick(shown[k])}', loc='left')
      return svg.render(fig, f'grid-{_id(arm)}{suffix}', 'gain over two axes')

  return Figure(
    f'Gain of {arm} by {" and ".join(names)}',
    *_both(draw),
    f'Mean difference to the control, {_unit(study)}: blue is a gain, orange'
    ' a loss, and the area of a square is its size.',
    (names[0], names[1], *([third] if panels else ()), 'gain'),
    [
      (
        studies.text(study.axes[x][i]),
        studies.text(study.axes[y][j]),
        *([studies.text(shown[k])] if panels else ()),
        float(values[k, j, i]),
      )
      for k, j, i in np.ndindex(values.shape)
    ],
  )


def _heat(ax: mpl_axes.Axes, values: np.ndarray, largest: float) -> None:
  """Squares whose area is the value, with the value on them."""
  for j, i in np.ndindex(values.shape):
    value = values[j, i]
    if not math.isfinite(value):
      continue
    side = 0.92 * math.sqrt(abs(value) / largest)
    color = svg.arm_color(1 if value >= 0 else 2)
    ax.bar(i, side, width=side, bottom=j - side / 2, color=color, alpha=0.4)
    ax.annotate(
      f'{value:+.2f}',
      (i, j),
      ha='center',
      va='center',
      fontsize=9.5,
      color=svg.FOREGROUND,
    )
  ax.set_xlim(-0.5, values.shape[1] - 0.5)
  ax.set_ylim(-0.5, values.shape[0] - 0.5)
  ax.set_aspect('equal')


def against_measurements(study: Study, arm: str = 'injection') -> Figure:
  """What diagnostics said at the fork, against what the arm then gained.

  One dot a seed and fork; the number is Spearman's rank correlation.
  """
  _need_control(study, arm)
  pairs = _measured(study, arm)
  if not pairs:
    raise UserError('nothing was measured at the forks of this study')
  names = list(pairs)[:12]

  def draw(width, suffix):
    columns = 3 if width > 6 else 1
    lines = -(-len(names) // columns)
    with svg.style():
      fig = figure.Figure((width, 2.3 * lines), layout='constrained')
      many = fig.subplots(lines, columns, squeeze=False).ravel()
      for ax, name in itertools.zip_longest(many, names):
        if name is None:
          ax.set_axis_off()
          continue
        a, b = np.array(pairs[name], float).T
        ax.axhline(0, color=svg.MUTED, linewidth=1)
        ax.plot(
          a,
          b,
          'o',
          color=svg.arm_color(1),
          markersize=4,
          alpha=0.4,
          markeredgewidth=0,
        )
        ax.xaxis.set_major_locator(ticker.MaxNLocator(4))
        ax.yaxis.set_major_locator(ticker.MaxNLocator(4))
        ax.grid(axis='y')
        ax.set_title(
          f'{name.removeprefix("plasticity/")}: {_rank(a, b):+.2f}',
          loc='left',
          fontsize=9,
        )
      return svg.render(fig, f'measured{suffix}', 'gain by diagnostic')

  return Figure(
    f'Do diagnostics tell where {arm} helps?',
    *_both(draw),
    f'Vertical: paired gain of {arm} over the control, {study.metric}, one'
    " dot a seed and fork. Title: Spearman's rank correlation over all dots.",
    ('diagnostic', 'value', 'gain'),
    [(name, *pair) for name in names for pair in pairs[name]],
  )


def _rank(a, b):
  if len(set(a)) < 2 or len(set(b)) < 2:
    return math.nan
  return float(stats.spearmanr(a, b).statistic)


def _measured(study, arm):
  """(value of the control at the fork, gain) by diagnostic."""
  pairs: dict[str, list[tuple[float, float]]] = {}
  for _, in_cell in tables.cells(study).items():
    if arm not in in_cell or studies.CONTROL not in in_cell:
      continue
    for base in in_cell[studies.CONTROL]:
      other = next((s for s in in_cell[arm] if s.run == base.run), None)
      if other is None:
        continue
      differences = dict(zip(other.seeds, other.scores, strict=True))
      for name in base.record.table.metrics:
        if not name.startswith('plasticity/'):
          continue
        series = base.measured(name)
        for i, seed in enumerate(series.seeds):
          value = series.values[i, 0]
          k = np.flatnonzero(base.seeds == seed)
          if len(k) and seed in differences and math.isfinite(value):
            pairs.setdefault(name, []).append(
              (float(value), float(differences[seed] - base.scores[k[0]]))
            )
  return pairs


def default(study: Study) -> Figure:
  """The figure of a study whose file has none."""
  if study.has_control:
    return (
      task_bars(study, study.arms[1]) if len(study.tasks) > 1 else arms(study)
    )
  if study.axes:
    return along_axis(study, next(iter(study.axes)))
  return by_compute(study)
