"""matplotlib figures as SVG that takes its colours from the page.

matplotlib knows fixed colours only. Figures are drawn in sentinel colours that
occur nowhere else, and each is then replaced by a CSS variable; the same SVG is
thereby right on a light and on a dark page.
"""

import contextlib
import io
import re
from collections.abc import Iterable

import matplotlib
from matplotlib import figure

# Sentinel -> CSS variable. matplotlib leaves plain black out: none is black.
FOREGROUND = '#010203'
MUTED = '#010204'
GRID = '#010205'
ARM_COUNT = 8
ARMS = tuple(f'#0102{16 + i:02x}' for i in range(ARM_COUNT))
_VARIABLES = {FOREGROUND: 'fg', MUTED: 'muted', GRID: 'grid'} | {
  sentinel: f'arm-{i}' for i, sentinel in enumerate(ARMS)
}

# Okabe and Ito's colours, which the colour-blind can tell apart, darkened
# where they would vanish on white and lightened on black. 0 is the control.
LIGHT = {
  'bg': '#ffffff',
  'panel': '#f6f7f9',
  'fg': '#1b1f27',
  'muted': '#5e6775',
  'grid': '#dfe3e9',
  'accent': '#0b62a8',
  'arm-0': '#6b7280',
  'arm-1': '#0072b2',
  'arm-2': '#d55e00',
  'arm-3': '#008a63',
  'arm-4': '#b0508c',
  'arm-5': '#9a7200',
  'arm-6': '#2b95c9',
  'arm-7': '#7a4b2a',
}  # pyformat: disable
DARK = {
  'bg': '#14171c',
  'panel': '#1d2128',
  'fg': '#e8ebf0',
  'muted': '#9aa4b2',
  'grid': '#323944',
  'accent': '#6fb7ee',
  'arm-0': '#a3acb9',
  'arm-1': '#56b4e9',
  'arm-2': '#f0883e',
  'arm-3': '#2fc496',
  'arm-4': '#e28fc0',
  'arm-5': '#e6c84f',
  'arm-6': '#9ad4f3',
  'arm-7': '#c99a74',
}  # pyformat: disable

_STYLE = {
  'svg.fonttype': 'none',
  'svg.hashsalt': 'plasticity_rl',
  'font.family': 'sans-serif',
  'font.size': 10,
  'axes.titlesize': 10,
  'axes.labelsize': 9.5,
  'xtick.labelsize': 9,
  'ytick.labelsize': 9,
  'text.color': FOREGROUND,
  'axes.labelcolor': MUTED,
  'axes.titlecolor': FOREGROUND,
  'axes.edgecolor': GRID,
  'axes.facecolor': 'none',
  'figure.facecolor': 'none',
  'savefig.facecolor': 'none',
  'xtick.color': GRID,
  'ytick.color': GRID,
  'xtick.labelcolor': MUTED,
  'ytick.labelcolor': MUTED,
  'grid.color': GRID,
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


def arm_color(index: int) -> str:
  """The sentinel of the index-th arm; 0 is the control, 1 the injection."""
  return ARMS[index if index < ARM_COUNT else 2 + index % (ARM_COUNT - 2)]


def css_variable(index: int) -> str:
  """The CSS value of the same colour, for text on the page."""
  return f'var(--{_VARIABLES[arm_color(index)]})'


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
  for sentinel, variable in _VARIABLES.items():
    text = text.replace(sentinel, f'var(--{variable})')
  # The page sizes it: the view box keeps its shape.
  head, rest = text.split('>', 1)
  head = re.sub(r'\s(width|height|version)="[^"]*"', '', head)
  return f'{head} role="img" aria-label="{_escape(label)}">{rest}'.strip()


def _escape(text: str) -> str:
  for a, b in (('&', '&amp;'), ('<', '&lt;'), ('>', '&gt;'), ('"', '&quot;')):
    text = text.replace(a, b)
  return text


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


def css() -> str:
  """The variables that figures use, for light and dark pages."""

  def block(colors: dict[str, str]) -> str:
    return ' '.join(f'--{k}: {v};' for k, v in colors.items())

  return (
    f':root {{ color-scheme: light dark; {block(LIGHT)} }}\n'
    f'@media (prefers-color-scheme: dark) {{ :root {{ {block(DARK)} }} }}'
  )


def standalone(drawing: str) -> str:
  """A rendered figure as a file of its own, with its colours."""
  head, rest = drawing.split('>', 1)
  style = f'<style>{css()} svg {{ background: var(--bg) }}</style>'
  return f'{head} xmlns="http://www.w3.org/2000/svg">{style}{rest}\n'


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
