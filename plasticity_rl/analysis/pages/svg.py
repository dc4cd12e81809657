"""matplotlib figures as SVG that takes its colours from the page."""

import contextlib
import html
import io
import re

import matplotlib
from matplotlib import figure

from plasticity_rl.analysis.pages import palette

_STYLE = {
  'svg.fonttype': 'none',
  'svg.hashsalt': 'plasticity_rl',
  'font.family': 'sans-serif',
  'font.size': 10,
  'axes.titlesize': 10,
  'axes.labelsize': 9.5,
  'xtick.labelsize': 9,
  'ytick.labelsize': 9,
  'text.color': palette.FOREGROUND,
  'axes.labelcolor': palette.MUTED,
  'axes.titlecolor': palette.FOREGROUND,
  'axes.edgecolor': palette.GRID,
  'axes.facecolor': 'none',
  'figure.facecolor': 'none',
  'savefig.facecolor': 'none',
  'xtick.color': palette.GRID,
  'ytick.color': palette.GRID,
  'xtick.labelcolor': palette.MUTED,
  'ytick.labelcolor': palette.MUTED,
  'grid.color': palette.GRID,
  'grid.linewidth': 0.8,
  'axes.axisbelow': True,
  'axes.spines.top': False,
  'axes.spines.right': False,
  'axes.spines.left': False,
  'lines.solid_capstyle': 'round',
  'xtick.major.size': 3,
  'ytick.major.size': 0,
  'path.simplify': True,
  'text.parse_math': False,  # Names of arms are not formulas.
}


def style() -> contextlib.AbstractContextManager[None]:
  """A context in which figures must be made and rendered."""
  # The defaults first, so that a user's matplotlibrc cannot change a report.
  return matplotlib.rc_context(matplotlib.rcParamsDefault | _STYLE)


def render(fig: figure.Figure, name: str, label: str) -> str:
  """A figure as one `<svg>` element, to stand in a page.

  Deterministic: no date, ids from a fixed salt.

  Args:
    fig: made within `style()`.
    name: prefix of its ids, unique on the page.
    label: what it shows, for those who cannot see it.
  """
  buffer = io.StringIO()
  metadata = dict.fromkeys(('Date', 'Creator', 'Format', 'Type'))
  fig.savefig(buffer, format='svg', metadata=metadata)
  text = buffer.getvalue()
  text = text[text.index('<svg') :]
  # Inline SVG needs no namespaces; metadata and the date are of no use.
  text = re.sub(r'<metadata>.*?</metadata>', '', text, flags=re.S)
  text = re.sub(r'\s+xmlns(:\w+)?="[^"]*"', '', text)
  text = text.replace('xlink:href', 'href')
  text = re.sub(r'<!--.*?-->', '', text, flags=re.S)
  text = _own_ids(text, name)
  for sentinel, variable in palette.VARIABLES.items():
    text = text.replace(sentinel, f'var(--{variable})')
  # The page sizes it: the view box keeps its shape.
  head, rest = text.split('>', 1)
  head = re.sub(r'\s(width|height|version)="[^"]*"', '', head)
  return f'{head} role="img" aria-label="{html.escape(label)}">{rest}'.strip()


def _own_ids(text: str, name: str) -> str:
  """Drops ids nobody refers to; prefixes the others."""
  used = set(re.findall(r'url\(#([^)]+)\)', text))
  used |= set(re.findall(r'href="#([^"]+)"', text))
  text = re.sub(
    r'\sid="([^"]*)"',
    lambda m: f' id="{name}-{m[1]}"' if m[1] in used else '',
    text,
  )
  text = re.sub(r'url\(#([^)]+)\)', rf'url(#{name}-\1)', text)
  return re.sub(r'href="#([^"]+)"', rf'href="#{name}-\1"', text)


def standalone(drawing: str) -> str:
  """A rendered figure as a file of its own, with its colours."""
  head, rest = drawing.split('>', 1)
  style = f'<style>{palette.css()} svg {{ background: var(--bg) }}</style>'
  return f'{head} xmlns="http://www.w3.org/2000/svg">{style}{rest}\n'
