"""Learning curves: mean and interval over seeds."""

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
from plasticity_rl.analysis.verdict import statistics


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


def plot(ax: mpl_axes.Axes, curve: Curve, *, markers: bool = True) -> axes.End:
  """Draws a curve; returns its last finite mean, to be labelled."""
  bands = curve.bands()
  color = palette.arm_color(curve.color)
  axes.band(
    ax,
    curve.steps,
    bands,
    color,
    strong=curve.strong,
    alpha=0.16 if curve.color <= 1 else 0.09,
    marker='o' if markers and len(curve.steps) <= 40 else None,
    markersize=3,
  )
  finite = bands[0][np.isfinite(bands[0])]
  last = float(finite[-1]) if len(finite) else math.nan
  return axes.End(curve.name, color, curve.steps[-1], last, curve.strong)


def learning_curves(
  curves: Sequence[Curve],
  *,
  name: str,
  metric: str,
  prefix: Curve | None = None,
  prefix_is: str = 'shared by all',
  fork: int | None = None,
) -> tuple[str, str]:
  """Mean and 95 % interval over seeds; the shared prefix at the left.

  The prefix has a panel and a time scale of its own, so that a short horizon
  after a long run stays legible; both share the vertical axis.

  Returns:
    SVG for wide pages, and for phones.
  """

  def draw(width: float) -> mpl_figure.Figure:
    wide = width > 6
    fig = mpl_figure.Figure((width, 3.9 if wide else 3.5), layout='constrained')
    fig.get_layout_engine().set(w_pad=0.02, wspace=0.02)
    if prefix is not None and fork is not None:
      share = _share(curves, prefix, fork)
      left, ax = fig.subplots(
        1, 2, sharey=True, width_ratios=(share, 1 - share)
      )
      plot(left, prefix)
      axes.scale_steps(left, 3)
      title = f'before: {prefix_is}' if wide else 'before'
      left.set_title(title, loc='left', color=palette.MUTED)
      left.set_xlim(right=fork)
      ax.set_title('after the fork', loc='left')
    else:
      left = ax = fig.subplots()
    ends = [plot(ax, c) for c in curves]
    axes.scale_steps(ax, 6 if wide else 3)
    if fork is not None:
      ax.set_xlim(left=fork)
      axes.dashed(ax, fork, palette.FOREGROUND)
      axes.note_above(ax, fork, 'fork', (4, -3), 'top')
    left.set_ylabel(axes.clip(metric, 40))
    ax.set_xlabel('step', loc='right')
    axes.label_ends(ax, ends)
    return fig

  return figure.both(name, f'{metric} over steps', draw)


def _share(curves: Sequence[Curve], prefix: Curve, fork: int) -> float:
  """Of the width, for what came before the fork."""
  span = max(1.0, float(max(c.steps[-1] for c in curves)) - fork)
  length = max(1.0, fork - float(prefix.steps[0]))
  return min(0.42, max(0.25, length / (length + span)))


def small_curves(
  curves: Sequence[Curve],
  *,
  name: str,
  title: str,
  prefix: Curve | None = None,
  fork: int | None = None,
) -> str:
  """One of many small panels; colours are explained once, on the page."""

  def draw(width: float) -> mpl_figure.Figure:
    fig, ax = figure.panel(width, 2.2)
    for curve in (*([prefix] if prefix is not None else []), *curves):
      plot(ax, curve, markers=False)
    if fork is not None:
      axes.dashed(ax, fork, palette.MUTED, 1)
    axes.scale_steps(ax, 4)
    ax.yaxis.set_major_locator(ticker.MaxNLocator(4))
    ax.set_title(axes.clip(title, 40), loc='left')
    return fig

  return figure.drawn(name, f'{title} over steps', draw)
