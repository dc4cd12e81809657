"""Rows of estimates: points, an interval and a mark on one axis."""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
from matplotlib import axes as mpl_axes
from matplotlib import figure as mpl_figure
from matplotlib import ticker

from plasticity_rl.analysis.pages import axes
from plasticity_rl.analysis.pages import figure
from plasticity_rl.analysis.pages import palette

_ROW = 0.48  # Inches a row.


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


def _name(
  ax: mpl_axes.Axes, rows: Sequence[IntervalRow], length: int = 24
) -> None:
  axes.name_rows(
    ax,
    [
      (axes.clip(r.name, length), palette.arm_color(r.color), r.strong)
      for r in rows
    ],
  )


def _mark(
  ax: mpl_axes.Axes,
  row: IntervalRow,
  y: float,
  mark: str,
  size: float,
  **bar: float,
) -> None:
  """The interval of a row and its estimate, at a height."""
  color = palette.arm_color(row.color)
  axes.interval(ax, [row.low, row.high], [y, y], color, **bar)
  ax.plot([row.estimate], [y], mark, color=color, markersize=size)


def intervals(
  rows: Sequence[IntervalRow],
  *,
  name: str,
  label: str,
  zero: bool = False,
  margin: float | None = None,
) -> tuple[str, str]:
  """A row each: points, interval and estimate; SVG, wide and for phones."""

  def draw(width: float) -> mpl_figure.Figure:
    wide = width > 6
    fig, ax = figure.panel(width, 0.75 + _ROW * len(rows))
    if zero:
      ax.axvline(0, color=palette.FOREGROUND, linewidth=1.1)
    if margin is not None:
      axes.dashed(ax, margin, palette.MUTED, 1.1)
      axes.note_above(ax, margin, 'margin', (3, 1), 'bottom')
    for i, row in enumerate(rows):
      # Points sit just below the bar, in three heights, so that ties show.
      heights = i + 0.17 + 0.07 * (np.arange(len(row.points)) % 3)
      color = palette.arm_color(row.color)
      axes.points(ax, row.points, heights, color, size=4, alpha=0.55)
      _mark(ax, row, i, 'D', 6.5)
      if wide and row.text:
        axes.beside(ax, i, row.text)
    _name(ax, rows)
    ax.xaxis.set_major_locator(ticker.MaxNLocator(7 if wide else 4))
    ax.grid(axis='x')
    ax.margins(x=0.06)
    ax.set_xlabel(axes.clip(label, 60))
    return fig

  return figure.both(name, label, draw)


def paired_intervals(
  pairs: Sequence[tuple[IntervalRow, IntervalRow]],
  *,
  name: str,
  label: str,
  limits: tuple[float, float],
) -> tuple[str, str]:
  """A line each: an estimate, and below it smaller the one to compare with.

  The name and its colour are those of the first.
  """

  def draw(width: float) -> mpl_figure.Figure:
    wide = width > 6
    fig, ax = figure.panel(width, 0.75 + 0.36 * len(pairs))
    ax.axvline(0, color=palette.FOREGROUND, linewidth=1.1)
    for i, (first, second) in enumerate(pairs):
      _mark(ax, first, i - 0.12, 'D', 6.0, width=4.5, alpha=0.45)
      _mark(ax, second, i + 0.2, 'o', 3.5, width=1.2, alpha=0.45)
      if wide and first.text:
        axes.beside(ax, i - 0.12, first.text)
    ax.set_xlim(*limits)
    _name(ax, [first for first, _ in pairs], 36 if wide else 24)
    ax.xaxis.set_major_locator(ticker.MaxNLocator(5, steps=[5, 10]))
    ax.grid(axis='x')
    ax.set_xlabel(axes.clip(label, 60))
    return fig

  return figure.both(name, label, draw)


def dots(rows: Sequence[IntervalRow], *, name: str, title: str) -> str:
  """One small panel of values per arm: its mean, and each seed's."""

  def draw(width: float) -> mpl_figure.Figure:
    fig, ax = figure.panel(width, 0.65 + 0.34 * len(rows))
    for i, row in enumerate(rows):
      heights = np.full(len(row.points), float(i))
      axes.points(ax, row.points, heights, palette.arm_color(row.color))
      _mark(ax, row, i, 'D', 6)
    _name(ax, rows, 20)
    ax.xaxis.set_major_locator(ticker.MaxNLocator(4))
    ax.grid(axis='x')
    ax.margins(x=0.08)
    ax.set_title(axes.clip(title, 44), loc='left')
    return fig

  return figure.drawn(name, title, draw)
