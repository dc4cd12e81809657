"""What a page shows: a figure with its data, drawn for two widths."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from matplotlib import axes as mpl_axes
from matplotlib import figure as mpl_figure

from plasticity_rl.analysis import files
from plasticity_rl.analysis.pages import svg

WIDE = 8.4  # Inches; a point is a CSS unit of the view box.
NARROW = 4.6  # For phones: the same text size on half the width.
SMALL = 3.6  # One of many panels.


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

  @property
  def csv(self) -> str:
    """The data as a file."""
    return files.csv_text(self.header, self.rows)


class Panels(NamedTuple):
  """Small figures, SVG text each, with the data of all as csv."""

  drawings: list[str]
  csv: str


Draw = Callable[[float], mpl_figure.Figure]  # Of a width in inches.


def panel(
  width: float, height: float
) -> tuple[mpl_figure.Figure, mpl_axes.Axes]:
  """A figure of one panel, sizes in inches."""
  fig = mpl_figure.Figure((width, height), layout='constrained')
  return fig, fig.subplots()


def drawn(name: str, label: str, draw: Draw, width: float = SMALL) -> str:
  """A figure as SVG text.

  Args:
    name: prefix of its ids, unique on the page.
    label: what it shows, for those who cannot see it.
    draw: what draws it.
    width: in inches.
  """
  with svg.style():
    return svg.render(draw(width), name, label)


def both(name: str, label: str, draw: Draw) -> tuple[str, str]:
  """A figure for wide pages, and the same for phones; see `drawn`."""
  return (
    drawn(name, label, draw, WIDE),
    drawn(f'{name}-n', label, draw, NARROW),
  )
