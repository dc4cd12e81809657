"""Figures as PNG, in the colours of a light page, for where no SVG is shown."""

import io

from matplotlib import colors
from matplotlib import figure as mpl_figure

from plasticity_rl.analysis.pages import figure
from plasticity_rl.analysis.pages import palette
from plasticity_rl.analysis.pages import svg

_LIGHT = {
  sentinel: palette.LIGHT[name] for sentinel, name in palette.VARIABLES.items()
}
_COLORED = (
  'color',
  'facecolor',
  'edgecolor',
  'markerfacecolor',
  'markeredgecolor',
)


def png(
  draw: figure.Draw, width: float = figure.WIDE, *, dots_per_inch: int = 160
) -> bytes:
  """A figure as the content of a PNG file."""
  out = io.BytesIO()
  with svg.style():
    fig = draw(width)
    fig.draw_without_rendering()  # Makes the ticks, which are coloured too.
    paint(fig)
    fig.savefig(
      out,
      format='png',
      dpi=dots_per_inch,
      facecolor=palette.LIGHT['bg'],
      metadata={'Software': None},
    )
  return out.getvalue()


def paint(fig: mpl_figure.Figure) -> None:
  """Puts the colours of a light page in the place of sentinels."""
  for artist in fig.findobj():
    for kind in _COLORED:
      given = getattr(artist, f'get_{kind}', lambda: 'none')()
      if isinstance(given, str) and given in ('none', 'auto', 'inherit'):
        continue
      before = colors.to_rgba_array(given)
      after = [
        colors.to_rgba(_LIGHT.get(colors.to_hex(one), tuple(one)), one[3])
        for one in before
      ]
      if after and after != [tuple(one) for one in before]:
        set_color = getattr(artist, f'set_{kind}')
        set_color(after if len(after) > 1 else after[0])
