import numpy as np
import pytest

from plasticity_rl.analysis.pages import palette


def _luminance(color):
  channels = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
  linear = np.where(
    channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4
  )
  return linear @ [0.2126, 0.7152, 0.0722]


@pytest.mark.parametrize(
  'theme', [palette.LIGHT, palette.DARK], ids=['light', 'dark']
)
def test_colors_can_be_read_on_their_page(theme):
  base = _luminance(theme['bg'])
  for name, color in theme.items():
    if name in ('bg', 'panel', 'grid'):
      continue
    bright, dark = sorted((_luminance(color), base), reverse=True)
    # WCAG: 4.5 for text, 3 for large text and graphics.
    least = 4.5 if name in ('fg', 'muted', 'accent') else 3.0
    assert (bright + 0.05) / (dark + 0.05) >= least, name
