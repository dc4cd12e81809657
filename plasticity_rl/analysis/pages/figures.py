"""The figures of a report: arrays in, SVG text out."""

import dataclasses
import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import axes as mpl_axes
from matplotlib import figure
from matplotlib import ticker

from plasticity_rl.analysis.pages import svg
from plasticity_rl.analysis.verdict import statistics
from plasticity_rl.analysis.verdict import verdict as verdicts

WIDE = 8.4  # Inches; a point is a CSS unit of the view box.
NARROW = 4.6  # For phones: the same text size on half the width.
_ROW = 0.48  # Inches a row of an interval plot.


@dataclasses.dataclass(frozen=True)
class Curve:
  """A line with its band.

  Attributes:
    name: label.
    color: index of its arm's colour; 0 is the control.
    steps: `[T]`.
    values: `[S, T]`, NaN where not measured.
    strong: whether its label stands out.
  """

  name: str
  color: int
  steps: np.ndarray
  values: np.ndarray
  strong: bool = False

  def bands(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean over seeds and Student's 95 % interval, `[T]` each."""
    rows = [
      statistics.student_interval(column[np.isfinite(column)])
      if np.isfinite(column).any()
      else (math.nan,) * 3
      for column in self.values.T
    ]
    mean, low, high = np.array(rows, float).T
    return mean, low, high


@dataclasses.dataclass(frozen=True)
class IntervalRow:
  """A line of an interval plot.

  Attributes:
    name: label at its left.
    color: index of its arm's colour.
    estimate: where the mark is.
    low: of the interval; NaN for none.
    high: of the interval; NaN for none.
    points: single values, drawn small.
    text: said at its right, where there is room.
    strong: whether its label stands out.
  """

  name: str
  color: int
  estimate: float
  low: float = math.nan
  high: float = math.nan
  points: Sequence[float] = ()
  text: str = ''
  strong: bool = False


def compact(value: float, _: object = None) -> str:
  """1500 -> '1.5k', 2e6 -> '2M'; for axes of steps."""
  for size, unit in ((1e9, 'G'), (1e6, 'M'), (1e3, 'k')):
    if abs(value) >= size:
      return f'{value / size:g}{unit}'
  return f'{value:g}'


def _clip(name: str, length: int = 24) -> str:
  """A label that fits; what sets labels apart is often at their end."""
  if len(name) <= length:
    return name
  tail = length * 2 // 3
  return f'{name[: length - tail - 1]}…{name[-tail:]}'


def _axis(ax: mpl_axes.Axes, ticks: int = 5, grid: str = 'y') -> None:
  ax.grid(axis=grid)
  ax.xaxis.set_major_formatter(ticker.FuncFormatter(compact))
  ax.xaxis.set_major_locator(ticker.MaxNLocator(ticks))
  ax.yaxis.set_major_locator(ticker.MaxNLocator(5))


def _draw(ax: mpl_axes.Axes, curve: Curve, *, markers: bool = True) -> float:
  """Draws a curve; returns its last finite mean."""
  mean, low, high = curve.bands()
  color = svg.arm_color(curve.color)
  if np.isfinite(low).any():
    ax.fill_between(
      curve.steps,
      low,
      high,
      color=color,
      alpha=0.16 if curve.color <= 1 else 0.09,
      linewidth=0,
    )
  ax.plot(
    curve.steps,
    mean,
    color=color,
    linewidth=2.2 if curve.strong else 1.7,
    marker='o' if markers and len(mean) <= 40 else None,
    markersize=3,
    zorder=4 if curve.strong else 3,
  )
  finite = mean[np.isfinite(mean)]
  return float(finite[-1]) if len(finite) else math.nan


def _label_ends(
  ax: mpl_axes.Axes, curves: Sequence[Curve], ends: Sequence[float]
) -> None:
  """Names beside the last points, pushed apart, a hairline to each."""
  pairs = [
    (c, e) for c, e in zip(curves, ends, strict=True) if math.isfinite(e)
  ]
  if not pairs:
    return
  low, high = ax.get_ylim()
  inches = ax.get_figure().get_size_inches()[1] * 0.75
  gap = (high - low) * 0.175 / inches
  places = svg.spread([e for _, e in pairs], gap)
  for (curve, end), place in zip(pairs, places, strict=True):
    color = svg.arm_color(curve.color)
    ax.annotate(
      _clip(curve.name),
      xy=(curve.steps[-1], end),
      xycoords='data',
      xytext=(1.03, (place - low) / (high - low)),
      textcoords='axes fraction',
      color=color,
      va='center',
      ha='left',
      fontsize=9.5,
      fontweight='bold' if curve.strong else 'normal',
      arrowprops={
        'arrowstyle': '-',
        'color': color,
        'lw': 0.7,
        'alpha': 0.6,
        'shrinkA': 1,
        'shrinkB': 2,
      },
      annotation_clip=False,
    )  # pyformat: disable


def learning_curves(
  curves: Sequence[Curve],
  *,
  name: str,
  metric: str,
  prefix: Curve | None = None,
  fork: int | None = None,
  width: float = WIDE,
) -> str:
  """Mean and 95 % interval over seeds; the shared prefix at the left.

  The prefix has a panel and a time scale of its own, so that a short horizon
  after a long run stays legible; both share the vertical axis.
  """
  with svg.style():
    height = 3.9 if width > 6 else 3.5
    fig = figure.Figure((width, height), layout='constrained')
    fig.get_layout_engine().set(w_pad=0.02, wspace=0.02)
    if prefix is not None and fork is not None:
      span = max(1.0, float(max(c.steps[-1] for c in curves)) - fork)
      length = max(1.0, fork - float(prefix.steps[0]))
      share = min(0.42, max(0.25, length / (length + span)))
      left, ax = fig.subplots(
        1, 2, sharey=True, width_ratios=(share, 1 - share)
      )
      _draw(left, prefix)
      _axis(left, 3)
      title = 'before: shared by all' if width > 6 else 'before'
      left.set_title(title, loc='left', color=svg.MUTED)
      left.set_xlim(right=fork)
      ax.set_title('after the fork', loc='left')
    else:
      left, ax = None, fig.subplots()
    ends = [_draw(ax, c) for c in curves]
    _axis(ax, 6 if width > 6 else 3)
    if fork is not None:
      ax.set_xlim(left=fork)
      ax.axvline(
        fork, color=svg.FOREGROUND, linewidth=1.2, linestyle=(0, (4, 3))
      )
      ax.annotate(
        'fork',
        (fork, 1),
        xycoords=('data', 'axes fraction'),
        xytext=(4, -3),
        textcoords='offset points',
        va='top',
        color=svg.MUTED,
        fontsize=9,
      )  # pyformat: disable
    (left or ax).set_ylabel(_clip(metric, 40))
    ax.set_xlabel('step', loc='right')
    _label_ends(ax, curves, ends)
    return svg.render(fig, name, f'{metric} over steps')


def intervals(
  rows: Sequence[IntervalRow],
  *,
  name: str,
  label: str,
  zero: bool = False,
  margin: float | None = None,
  width: float = WIDE,
) -> str:
  """A row each: points, interval and estimate on one horizontal axis."""
  with svg.style():
    narrow = width < 6
    fig = figure.Figure((width, 0.75 + _ROW * len(rows)), layout='constrained')
    ax = fig.subplots()
    if zero:
      ax.axvline(0, color=svg.FOREGROUND, linewidth=1.1)
    if margin is not None:
      ax.axvline(margin, color=svg.MUTED, linewidth=1.1, linestyle=(0, (4, 3)))
      ax.annotate(
        'margin',
        (margin, 1),
        xycoords=('data', 'axes fraction'),
        xytext=(3, 1),
        textcoords='offset points',
        va='bottom',
        color=svg.MUTED,
        fontsize=9,
      )  # pyformat: disable
    for i, row in enumerate(rows):
      _draw_row(ax, i, row, text=not narrow)
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ax.set_yticks(range(len(rows)), [_clip(r.name) for r in rows])
    for tick, row in zip(ax.get_yticklabels(), rows, strict=True):
      tick.set_color(svg.arm_color(row.color))
      tick.set_fontweight('bold' if row.strong else 'normal')
    ax.xaxis.set_major_locator(ticker.MaxNLocator(4 if narrow else 7))
    ax.grid(axis='x')
    ax.margins(x=0.06)
    ax.set_xlabel(_clip(label, 60))
    return svg.render(fig, name, label)


def _draw_row(
  ax: mpl_axes.Axes, i: int, row: IntervalRow, *, text: bool
) -> None:
  color = svg.arm_color(row.color)
  points = np.asarray(row.points, float)
  # Points sit just below the bar, in three heights, so that ties show.
  heights = i + 0.17 + 0.07 * (np.arange(len(points)) % 3)
  ax.plot(
    points,
    heights,
    'o',
    color=color,
    markersize=4,
    alpha=0.55,
    markeredgewidth=0,
  )  # pyformat: disable
  if math.isfinite(row.low):
    ax.plot(
      [row.low, row.high],
      [i, i],
      color=color,
      linewidth=5,
      alpha=0.35,
      solid_capstyle='butt',
    )  # pyformat: disable
  ax.plot([row.estimate], [i], 'D', color=color, markersize=6.5)
  if text and row.text:
    ax.annotate(
      row.text,
      (1.015, i),
      xycoords=('axes fraction', 'data'),
      va='center',
      fontsize=9.5,
      annotation_clip=False,
    )  # pyformat: disable


def paired_intervals(
  pairs: Sequence[tuple[IntervalRow, IntervalRow]],
  *,
  name: str,
  label: str,
  limits: tuple[float, float],
  width: float = WIDE,
) -> str:
  """A line each: an estimate, and below it smaller the one to compare with.

  The name and its colour are those of the first.
  """
  with svg.style():
    narrow = width < 6
    fig = figure.Figure((width, 0.75 + 0.36 * len(pairs)), layout='constrained')
    ax = fig.subplots()
    ax.axvline(0, color=svg.FOREGROUND, linewidth=1.1)
    for i, (first, second) in enumerate(pairs):
      for row, at, mark, size, line in (
        (first, i - 0.12, 'D', 6.0, 4.5),
        (second, i + 0.2, 'o', 3.5, 1.2),
      ):  # pyformat: disable
        color = svg.arm_color(row.color)
        if math.isfinite(row.low):
          ax.plot(
            [row.low, row.high],
            [at, at],
            color=color,
            linewidth=line,
            alpha=0.45,
            solid_capstyle='butt',
          )  # pyformat: disable
        ax.plot([row.estimate], [at], mark, color=color, markersize=size)
      if first.text and not narrow:
        ax.annotate(
          first.text,
          (1.015, i - 0.12),
          xycoords=('axes fraction', 'data'),
          va='center',
          fontsize=9.5,
          annotation_clip=False,
        )  # pyformat: disable
    ax.set_xlim(*limits)
    ax.set_ylim(len(pairs) - 0.4, -0.6)
    length = 24 if narrow else 36
    ax.set_yticks(range(len(pairs)), [_clip(a.name, length) for a, _ in pairs])
    for tick, (row, _) in zip(ax.get_yticklabels(), pairs, strict=True):
      tick.set_color(svg.arm_color(row.color))
      tick.set_fontweight('bold' if row.strong else 'normal')
    ax.xaxis.set_major_locator(ticker.MaxNLocator(5, steps=[5, 10]))
    ax.grid(axis='x')
    ax.set_xlabel(_clip(label, 60))
    return svg.render(fig, name, label)


def scatter(
  x: np.ndarray,
  y: np.ndarray,
  *,
  name: str,
  title: str,
  label: str,
  color: int,
) -> str:
  """One small panel of pairs `[S, F]`; later forks are drawn stronger."""
  with svg.style():
    fig = figure.Figure((3.6, 2.6), layout='constrained')
    ax = fig.subplots()
    ax.axhline(0, color=svg.MUTED, linewidth=1)
    last = max(1, x.shape[1] - 1)
    for j in range(x.shape[1]):
      ax.plot(
        x[:, j],
        y[:, j],
        'o',
        color=svg.arm_color(color),
        markersize=4.5,
        alpha=0.15 + 0.75 * j / last,
        markeredgewidth=0,
      )  # pyformat: disable
    _axis(ax, 4)
    ax.set_ylabel(label)
    ax.set_title(_clip(title, 44), loc='left')
    return svg.render(fig, name, f'{label} over {title}')


def small_curves(
  curves: Sequence[Curve],
  *,
  name: str,
  title: str,
  prefix: Curve | None = None,
  fork: int | None = None,
) -> str:
  """One of many small panels; colours are explained once, on the page."""
  with svg.style():
    fig = figure.Figure((3.6, 2.2), layout='constrained')
    ax = fig.subplots()
    if prefix is not None:
      _draw(ax, prefix, markers=False)
    for curve in curves:
      _draw(ax, curve, markers=False)
    if fork is not None:
      ax.axvline(fork, color=svg.MUTED, linewidth=1, linestyle=(0, (4, 3)))
    _axis(ax, 4)
    ax.yaxis.set_major_locator(ticker.MaxNLocator(4))
    ax.set_title(_clip(title, 40), loc='left')
    return svg.render(fig, name, f'{title} over steps')


def dots(rows: Sequence[IntervalRow], *, name: str, title: str) -> str:
  """One small panel of values per arm: its mean, and each seed's."""
  with svg.style():
    fig = figure.Figure((3.6, 0.65 + 0.34 * len(rows)), layout='constrained')
    ax = fig.subplots()
    for i, row in enumerate(rows):
      color = svg.arm_color(row.color)
      points = np.asarray(row.points, float)
      heights = np.full(len(points), float(i))
      ax.plot(
        points,
        heights,
        'o',
        color=color,
        markersize=4.5,
        alpha=0.3,
        markeredgewidth=0,
      )  # pyformat: disable
      ax.plot([row.estimate], [i], 'D', color=color, markersize=6)
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ax.set_yticks(range(len(rows)), [_clip(r.name, 20) for r in rows])
    for tick, row in zip(ax.get_yticklabels(), rows, strict=True):
      tick.set_color(svg.arm_color(row.color))
    ax.xaxis.set_major_locator(ticker.MaxNLocator(4))
    ax.grid(axis='x')
    ax.margins(x=0.08)
    ax.set_title(_clip(title, 44), loc='left')
    return svg.render(fig, name, title)


def difference_rows(
  verdict: verdicts.Verdict, colors: Mapping[str, int]
) -> list[IntervalRow]:
  """The paired differences of a verdict as rows of an interval plot."""
  rows = []
  for a in verdict.arms:
    adjusted = '' if a.p_holm is None else ' (Holm)'
    p = verdicts.p_text(a.p if a.p_holm is None else a.p_holm)
    rows.append(
      IntervalRow(
        name=a.arm,
        color=colors[a.arm],
        estimate=a.effect,
        low=math.nan if a.low is None else a.low,
        high=math.nan if a.high is None else a.high,
        points=a.differences,
        strong=a.arm == verdict.arm,
        text=f'{verdicts.interval_text(a.effect, a.low, a.high)}, {p}'
        f'{adjusted}',
      )
    )
  return rows
