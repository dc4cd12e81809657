"""Figures that answer a study's question; its file names one of them.

Each takes a study and returns a `Figure`. A study file ends with, for example:

  def figure(study):
    from plasticity_rl.analysis.pages import study_figures

    return study_figures.along_axis(study, 'fork.step')
"""

import itertools
import math
from collections.abc import Sequence

import numpy as np
from matplotlib import axes as mpl_axes
from matplotlib import figure as mpl_figure
from matplotlib import ticker

from plasticity_rl.analysis import runs
from plasticity_rl.analysis import wording
from plasticity_rl.analysis.pages import axes
from plasticity_rl.analysis.pages import figure
from plasticity_rl.analysis.pages import intervals
from plasticity_rl.analysis.pages import palette
from plasticity_rl.analysis.pages.figure import Figure
from plasticity_rl.analysis.study import study as studies
from plasticity_rl.analysis.study import tables
from plasticity_rl.analysis.study.study import StudyResults
from plasticity_rl.analysis.verdict import rank_correlation
from plasticity_rl.analysis.verdict import statistics
from plasticity_rl.errors import UserError
from plasticity_rl.errors import nearest

_MEASURES = 12  # Diagnostics that are drawn; more would be a wall.


def colors(study: StudyResults) -> dict[str, int]:
  """An index a arm: 0 for the control, 1 for the injection."""
  others = itertools.count(2)
  fixed = {studies.CONTROL: 0, 'injection': 1, 'all': 1}
  return {
    arm: fixed[arm] if arm in fixed else next(others) for arm in study.arms
  }


def unit(study: StudyResults) -> str:
  """What scores of the study are, on one scale over its tasks."""
  return f'{"normalised " * (len(study.tasks) > 1)}{study.metric}'


def scale_note(study: StudyResults) -> str:
  """How scores came to be on one scale, if they are of several tasks."""
  return f' {tables.NORMALISED}' * (len(study.tasks) > 1)


def _need_control(study: StudyResults, arm: str = '') -> None:
  if not study.has_control:
    raise UserError('this figure compares arms with a control: there is none')
  if arm and arm not in study.arms:
    raise UserError(nearest('arm', arm, study.arms))


def _need_axis(study: StudyResults, axis: str) -> None:
  if axis not in study.axes:
    raise UserError(nearest('axis of the study', axis, study.axes))


def _id(text: str) -> str:
  return ''.join(c if c.isalnum() else '-' for c in text)


def _tick(value: object) -> str:
  if isinstance(value, int | float) and abs(value) >= 1000:
    return axes.compact(value)
  return studies.text(value)


def task_bars(study: StudyResults, arm: str = 'injection') -> Figure:
  """Percent change of an arm on each task, or in each setting; sorted."""
  _need_control(study, arm)
  found = sorted(
    (g for g in tables.gains(study) if g.arm == arm),
    key=lambda g: g.percent.estimate,
    reverse=True,
  )
  names = [(_cell_name(study, g), palette.FOREGROUND, False) for g in found]

  def draw(width: float) -> mpl_figure.Figure:
    fig, ax = figure.panel(width, 0.9 + 0.34 * len(found))
    for i, gain in enumerate(found):
      mean, low, high = gain.percent
      ax.barh(i, mean, height=0.62, color=_sure_color(gain), alpha=0.75)
      if math.isfinite(low):
        ax.plot([low, high], [i, i], color=palette.FOREGROUND, linewidth=1.2)
      if width > 6:
        # A control of zero without a margin has no percentage.
        text = f'{mean:+.0f} %' if math.isfinite(mean) else '-'
        axes.beside(ax, i, text, 1.01)
    ax.axvline(0, color=palette.FOREGROUND, linewidth=1.1)
    axes.name_rows(ax, names)
    ax.xaxis.set_major_locator(ticker.MaxNLocator(7 if width > 6 else 4))
    ax.grid(axis='x')
    ax.set_xlabel(f'change by {arm}, % of the control')
    return fig

  return Figure(
    f'What {arm} changes, '
    + ('task by task' if len(study.tasks) > 1 else 'setting by setting'),
    *figure.both(f'task-bars-{_id(arm)}', 'percent change', draw),
    f'{tables.PERCENT} Line: 95 % interval of the mean paired difference over'
    ' seeds, on the same scale. Strong bars: the interval excludes zero.',
    (
      'task,setting,arm,control,mean,difference,low,high,p,percent,percent_low,'
      'percent_high,seeds'
    ).split(','),
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
    return palette.arm_color(1)
  if gain.interval.high < 0:
    return palette.arm_color(2)
  return palette.MUTED


def _cell_name(study: StudyResults, gain: tables.Gain) -> str:
  where = studies.describe(gain.setting, study.axes)
  task = gain.task if len(study.tasks) > 1 or not where else ''
  return ', '.join(filter(None, (task, where)))


def arms(study: StudyResults) -> Figure:
  """The gain of every arm over the control, over all cells."""
  _need_control(study)
  tint, rows, data = colors(study), [], []
  for arm in study.arms[1:]:
    gains = [gain for _, gain in tables.scaled_gains(study, arm)]
    if not gains:
      continue
    flat = np.concatenate(gains)
    interval = statistics.paired_difference(flat)
    p = statistics.sign_flip_test(flat)
    rows.append(
      intervals.IntervalRow(
        arm,
        tint[arm],
        *interval,
        points=flat if len(flat) <= 60 else (),
        text=f'{wording.interval(*interval)}, {wording.p_value(p)}',
        strong=arm == 'injection',
      )
    )
    data.append((arm, *interval, p, len(flat)))
  label = f'difference to control, {unit(study)}'
  return Figure(
    'Every arm against the control',
    *intervals.intervals(rows, name='arms', label=label, zero=True),
    'Paired difference over seeds (dots) and its 95 % interval; sign-flip p,'
    f' not adjusted for the number of arms.{scale_note(study)}',
    ('arm', 'difference', 'low', 'high', 'p', 'pairs'),
    data,
  )


def along_axis(
  study: StudyResults, axis: str, which: Sequence[str] | None = None
) -> Figure:
  """Gain over the control by the value of an axis; scores without one."""
  _need_axis(study, axis)
  gain = study.has_control
  listed = which or (study.arms[1:] if gain else study.arms)
  every = {a: tables.along(study, axis, a, gain=gain) for a in listed}
  # An arm may lack the axis, or its control, while a study is half done.
  lines = {arm: line for arm, line in every.items() if line}
  name = studies.leaf(axis, list(study.axes))
  label = f'gain over control, {unit(study)}' if gain else unit(study)

  def draw(width: float) -> mpl_figure.Figure:
    fig, ax = figure.panel(width, 3.7 if width > 6 else 3.4)
    if gain:
      ax.axhline(0, color=palette.FOREGROUND, linewidth=1.1)
    _draw_lines(ax, study, axis, lines)
    ax.set_xlabel(name)
    ax.set_ylabel(label)
    return fig

  return Figure(
    f'{"Gain" if gain else "Score"} by {name}',
    *figure.both(f'along-{_id(axis)}', f'by {name}', draw),
    f'{"Paired difference to the control" if gain else "Mean"}, its 95 %'
    f' interval over seeds{", tasks" * (len(study.tasks) > 1)}'
    f'{" and the other axes" * (len(study.axes) > 1)}'
    f" (Student's t): {', '.join(lines)}.{scale_note(study)}",
    ('arm', name, 'mean', 'low', 'high', 'samples'),
    [
      (arm, studies.text(value), *interval, len(flat))
      for arm, line in lines.items()
      for value, interval, flat in line
    ],
  )


def _draw_lines(
  ax: mpl_axes.Axes, study: StudyResults, axis: str, lines: dict[str, list]
) -> None:
  """A line an arm over the values of an axis, by size if they are numbers."""
  values = study.axes[axis]
  numbers = all(
    isinstance(v, int | float) and not isinstance(v, bool) for v in values
  )
  places = values if numbers else range(len(values))
  at = dict(zip(values, places, strict=True))
  if numbers and min(values) > 0 and max(values) >= 20 * min(values):
    ax.set_xscale('log')
  tint, ends = colors(study), []
  for arm, line in lines.items():
    x = [at[value] for value, _, _ in line]
    color, strong = palette.arm_color(tint[arm]), arm == 'injection'
    bounds = np.array([i for _, i, _ in line], float).T
    axes.band(ax, x, bounds, color, strong=strong, marker='o', markersize=4.5)
    ends.append(axes.End(arm, color, x[-1], bounds[0][-1], strong))
  axes.label_ends(ax, ends)
  ax.grid(axis='y')
  ax.set_xticks(list(places), [_tick(v) for v in values], minor=False)
  ax.minorticks_off()


def by_compute(study: StudyResults) -> Figure:
  """Score of each arm against the FLOPs of a seed."""
  tint, scale = colors(study), tables.normaliser(study)
  groups: dict = {}
  for s in study.samples:
    groups.setdefault((s.arm, s.setting), []).append(s)
  points = []
  for (arm, setting), samples in groups.items():
    flops = np.mean([runs.flops(s.record) for s in samples])
    values = [(s.scores - scale[s.task][0]) / scale[s.task][1] for s in samples]
    interval = statistics.student_interval(np.concatenate(values))
    points.append((arm, setting, float(flops), interval))

  def draw(width: float) -> mpl_figure.Figure:
    fig, ax = figure.panel(width, 3.9)
    for arm, _, flops, (mean, low, high) in points:
      color = palette.arm_color(tint[arm])
      axes.interval(ax, [flops, flops], [low, high], color, width=4)
      ax.plot([flops], [mean], 'D', color=color, markersize=7)
      ax.annotate(
        arm,
        (flops, mean),
        xytext=(8, 5),
        textcoords='offset points',
        color=color,
        fontsize=9.5,
      )
    ax.grid()
    ax.margins(x=0.16, y=0.14)
    ax.set_xlabel('FLOPs of a seed, acting, updates and evaluation')
    ax.set_ylabel(unit(study))
    ax.xaxis.set_major_formatter(
      lambda value, _: wording.prefixed(value, spec='g')
    )
    return fig

  return Figure(
    'Score against compute',
    *figure.both('compute', 'score by compute', draw),
    "Mean and 95 % interval over runs (Student's t) against the FLOPs of one"
    ' seed, by the ledger of each run: the prefix counts in full for every'
    f' arm.{scale_note(study)}',
    ('arm', 'setting', 'flops', 'mean', 'low', 'high'),
    [
      (arm, studies.describe(setting, study.axes), flops, *interval)
      for arm, setting, flops, interval in points
    ],
  )


def grid(
  study: StudyResults,
  x: str,
  y: str,
  panels: str | None = None,
  arm: str = 'injection',
) -> Figure:
  """Gain of an arm over two axes, a panel for each value of a third."""
  _need_control(study, arm)
  by = [axis for axis in (x, y, panels) if axis]
  for axis in by:
    _need_axis(study, axis)
  values = tables.gain_grid(study, arm, by)
  names = [studies.leaf(axis, list(study.axes)) for axis in by]
  ticks = [[_tick(v) for v in study.axes[axis]] for axis in by]
  shown = values if panels else values[..., None]

  def draw(width: float) -> mpl_figure.Figure:
    count = shown.shape[2]
    shape = (1, count) if width > 6 else (count, 1)
    height = 2.9 if width > 6 else 2.5 * count
    fig = mpl_figure.Figure((width, height), layout='constrained')
    largest = np.nanmax(np.abs(values)) if np.isfinite(values).any() else 1
    for k, ax in enumerate(fig.subplots(*shape, squeeze=False).ravel()):
      axes.squares(ax, shown[..., k].T, largest or 1.0)
      ax.set_xticks(range(len(ticks[0])), ticks[0])
      ax.set_yticks(range(len(ticks[1])), ticks[1])
      ax.set_xlabel(names[0])
      if k == 0 or width <= 6:
        ax.set_ylabel(names[1])
      if panels:
        ax.set_title(f'{names[2]} {ticks[2][k]}', loc='left')
    return fig

  return Figure(
    f'Gain of {arm} by {" and ".join(names[:2])}',
    *figure.both(f'grid-{_id(arm)}', 'gain over two axes', draw),
    f'Mean difference to the control, {unit(study)}: blue is a gain, orange'
    ' a loss, and the area of a square is its size.',
    (*names, 'gain'),
    [
      (
        *(studies.text(study.axes[a][i]) for a, i in zip(by, at, strict=True)),
        float(values[at]),
      )
      # The first axis varies fastest.
      for at in (at[::-1] for at in np.ndindex(values.shape[::-1]))
    ],
  )


def against_measurements(study: StudyResults, arm: str = 'injection') -> Figure:
  """What diagnostics said at the fork, against what the arm then gained.

  One dot a seed and fork; the number is Spearman's rank correlation.
  """
  _need_control(study, arm)
  pairs = tables.measured_gains(study, arm)
  if not pairs:
    raise UserError('nothing was measured at the forks of this study')
  names = list(pairs)[:_MEASURES]

  def draw(width: float) -> mpl_figure.Figure:
    columns = 3 if width > 6 else 1
    lines = -(-len(names) // columns)
    fig = mpl_figure.Figure((width, 2.3 * lines), layout='constrained')
    many = fig.subplots(lines, columns, squeeze=False).ravel()
    for ax in many[len(names) :]:
      ax.set_axis_off()
    for ax, name in zip(many, names, strict=False):
      values, gains = np.array(pairs[name], float).T
      ax.axhline(0, color=palette.MUTED, linewidth=1)
      color = palette.arm_color(1)
      axes.points(ax, values, gains, color, size=4, alpha=0.4)
      ax.xaxis.set_major_locator(ticker.MaxNLocator(4))
      ax.yaxis.set_major_locator(ticker.MaxNLocator(4))
      ax.grid(axis='y')
      rho = float(rank_correlation.spearman(values, gains))
      title = f'{name.removeprefix("plasticity/")}: {rho:+.2f}'
      ax.set_title(title, loc='left', fontsize=9)
    return fig

  return Figure(
    f'Do diagnostics tell where {arm} helps?',
    *figure.both('measured', 'gain by diagnostic', draw),
    f'Vertical: paired gain of {arm} over the control, {study.metric}, one'
    " dot a seed and fork. Title: Spearman's rank correlation over all dots.",
    ('diagnostic', 'value', 'gain'),
    [(name, *pair) for name in names for pair in pairs[name]],
  )


def default(study: StudyResults) -> Figure:
  """The figure of a study whose file has none."""
  if study.has_control:
    return (
      task_bars(study, study.arms[1]) if len(study.tasks) > 1 else arms(study)
    )
  if study.axes:
    return along_axis(study, next(iter(study.axes)))
  return by_compute(study)
