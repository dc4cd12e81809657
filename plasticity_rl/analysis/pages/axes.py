"""Parts that figures share, drawn on matplotlib's axes."""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib import axes as mpl_axes
from matplotlib import ticker

from plasticity_rl.analysis import wording
from plasticity_rl.analysis.pages import palette

DASHES = (0, (4, 3))


class End(NamedTuple):
  """The last point of a line, to be labelled; `color` is a sentinel."""

  name: str
  color: str
  x: float
  y: float
  strong: bool


def compact(value: float, _: object = None) -> str:
  """1500 -> '1.5k', 2e6 -> '2M'; for axes of steps."""
  return wording.prefixed(value, 'GMk', spec='g', gap='')


def clip(name: str, length: int = 24) -> str:
  """A label that fits; what sets labels apart is often at their end."""
  if len(name) <= length:
    return name
  tail = length * 2 // 3
  return f'{name[: length - tail - 1]}…{name[-tail:]}'


def scale_steps(ax: mpl_axes.Axes, ticks: int = 5) -> None:
  """Few ticks, those of the horizontal axis compact; lines across."""
  ax.grid(axis='y')
  ax.xaxis.set_major_formatter(ticker.FuncFormatter(compact))
  ax.xaxis.set_major_locator(ticker.MaxNLocator(ticks))
  ax.yaxis.set_major_locator(ticker.MaxNLocator(5))


def dashed(ax: mpl_axes.Axes, x: float, color: str, width: float = 1.2) -> None:
  """A dashed vertical line."""
  ax.axvline(x, color=color, linewidth=width, linestyle=DASHES)


def note_above(
  ax: mpl_axes.Axes, x: float, text: str, offset: tuple[int, int], va: str
) -> None:
  """What a vertical line is, beside its upper end."""
  ax.annotate(
    text,
    (x, 1),
    xycoords=('data', 'axes fraction'),
    xytext=offset,
    textcoords='offset points',
    va=va,
    color=palette.MUTED,
    fontsize=9,
  )


def points(ax: mpl_axes.Axes, x, y, color: str, *, size=4.5, alpha=0.3) -> None:
  """Single values, drawn light."""
  ax.plot(
    x,
    y,
    'o',
    color=color,
    markersize=size,
    alpha=alpha,
    markeredgewidth=0,
  )


def interval(
  ax: mpl_axes.Axes, x, y, color: str, *, width: float = 5, alpha=0.35
) -> None:
  """A bar from (x[0], y[0]) to (x[1], y[1]); none where a bound is NaN."""
  if np.isfinite([*x, *y]).all():
    ax.plot(
      x,
      y,
      color=color,
      linewidth=width,
      alpha=alpha,
      solid_capstyle='butt',
    )


def band(
  ax: mpl_axes.Axes,
  x: Sequence[float],
  bounds: tuple[Sequence[float], Sequence[float], Sequence[float]],
  color: str,
  *,
  strong: bool = False,
  alpha: float = 0.14,
  **line: object,
) -> None:
  """A line, of mean, low and high `bounds`, in the band between the last."""
  mean, low, high = bounds
  if np.isfinite(low).any():
    ax.fill_between(x, low, high, color=color, alpha=alpha, linewidth=0)
  ax.plot(
    x,
    mean,
    color=color,
    linewidth=2.2 if strong else 1.7,
    zorder=4 if strong else 3,
    **line,
  )


def beside(ax: mpl_axes.Axes, y: float, text: str, x: float = 1.015) -> None:
  """Text at the right of a row."""
  ax.annotate(
    text,
    (x, y),
    xycoords=('axes fraction', 'data'),
    va='center',
    fontsize=9.5,
    annotation_clip=False,
  )


def name_rows(ax: mpl_axes.Axes, rows: Sequence[tuple[str, str, bool]]) -> None:
  """Rows from the top: the name at the left, its colour, whether it is bold."""
  ax.set_ylim(len(rows) - 0.4, -0.6)
  ax.set_yticks(range(len(rows)), [name for name, _, _ in rows])
  for tick, (_, color, bold) in zip(ax.get_yticklabels(), rows, strict=True):
    tick.set_color(color)
    tick.set_fontweight('bold' if bold else 'normal')


def squares(ax: mpl_axes.Axes, values: np.ndarray, largest: float) -> None:
  """Squares whose area is the value, with the value on them."""
  for j, i in np.ndindex(values.shape):
    value = values[j, i]
    if not math.isfinite(value):
      continue
    side = 0.92 * math.sqrt(abs(value) / largest)
    color = palette.arm_color(1 if value >= 0 else 2)
    ax.bar(i, side, width=side, bottom=j - side / 2, color=color, alpha=0.4)
    ax.annotate(
      f'{value:+.2f}',
      (i, j),
      ha='center',
      va='center',
      fontsize=9.5,
      color=palette.FOREGROUND,
    )
  ax.set_xlim(-0.5, values.shape[1] - 0.5)
  ax.set_ylim(-0.5, values.shape[0] - 0.5)
  ax.set_aspect('equal')


def label_ends(ax: mpl_axes.Axes, ends: Sequence[End]) -> None:
  """Names beside the last points, pushed apart, a hairline to each."""
  ends = [end for end in ends if np.isfinite(end.y)]
  low, high = ax.get_ylim()
  inches = ax.get_figure().get_size_inches()[1] * ax.get_position().height
  places = spread([end.y for end in ends], (high - low) * 0.175 / inches)
  for end, place in zip(ends, places, strict=True):
    ax.annotate(
      clip(end.name),
      xy=(end.x, end.y),
      xycoords='data',
      xytext=(1.03, (place - low) / (high - low)),
      textcoords='axes fraction',
      color=end.color,
      va='center',
      ha='left',
      fontsize=9.5,
      fontweight='bold' if end.strong else 'normal',
      arrowprops={
        'arrowstyle': '-',
        'color': end.color,
        'lw': 0.7,
        'alpha': 0.6,
        'shrinkA': 1,
        'shrinkB': 2,
      },
      annotation_clip=False,
    )


def spread(values: Iterable[float], gap: float) -> list[float]:
  """Moves label positions apart to at least `gap`, keeping their order."""
  values = list(values)
  order = sorted(range(len(values)), key=values.__getitem__)
  # Blocks of labels that touch, each (its members, its centre), merged until
  # none overlap: what a person does by hand.
  blocks: list[list] = []
  for i in order:
    blocks.append([[i], values[i]])
    while len(blocks) > 1:
      (a, ca), (b, cb) = blocks[-2:]
      if cb - ca >= gap * (len(a) + len(b)) / 2:
        break
      n = len(a) + len(b)
      blocks[-2:] = [[a + b, (ca * len(a) + cb * len(b)) / n]]
  placed = list(values)
  for members, centre in blocks:
    for k, i in enumerate(members):
      placed[i] = centre + (k - (len(members) - 1) / 2) * gap
  return placed
