"""The colours of every figure and page.

matplotlib knows fixed colours only. Figures are drawn in sentinel colours that
occur nowhere else, and `svg.render` replaces each by a CSS variable; the same
figure is thereby right on a light and on a dark page.
"""

# Okabe and Ito's colours, which the colour-blind can tell apart, darkened
# where they would vanish on white and lightened on black. arm-0 is the control.
_COLORS = {  # CSS variable: on a light page, on a dark page.
  'bg': ('#ffffff', '#14171c'),
  'panel': ('#f6f7f9', '#1d2128'),
  'fg': ('#1b1f27', '#e8ebf0'),
  'muted': ('#5e6775', '#9aa4b2'),
  'grid': ('#dfe3e9', '#323944'),
  'accent': ('#0b62a8', '#6fb7ee'),
  'arm-0': ('#6b7280', '#a3acb9'),
  'arm-1': ('#0072b2', '#56b4e9'),
  'arm-2': ('#d55e00', '#f0883e'),
  'arm-3': ('#008a63', '#2fc496'),
  'arm-4': ('#b0508c', '#e28fc0'),
  'arm-5': ('#9a7200', '#e6c84f'),
  'arm-6': ('#2b95c9', '#9ad4f3'),
  'arm-7': ('#7a4b2a', '#c99a74'),
}
LIGHT = {name: light for name, (light, _) in _COLORS.items()}
DARK = {name: dark for name, (_, dark) in _COLORS.items()}

# matplotlib leaves plain black out: no sentinel is black.
FOREGROUND = '#010203'
MUTED = '#010204'
GRID = '#010205'
ARM_COUNT = 8
_ARMS = tuple(f'#0102{16 + i:02x}' for i in range(ARM_COUNT))
VARIABLES = {FOREGROUND: 'fg', MUTED: 'muted', GRID: 'grid'} | {
  sentinel: f'arm-{i}' for i, sentinel in enumerate(_ARMS)
}


def arm_color(index: int) -> str:
  """The sentinel of the index-th arm; 0 is the control, 1 the injection."""
  return _ARMS[index if index < ARM_COUNT else 2 + index % (ARM_COUNT - 2)]


def css_variable(index: int) -> str:
  """The CSS value of the same colour, for text on the page."""
  return f'var(--{VARIABLES[arm_color(index)]})'


def css() -> str:
  """The variables that figures use, for light and dark pages."""

  def block(colors: dict[str, str]) -> str:
    return ' '.join(f'--{k}: {v};' for k, v in colors.items())

  return (
    f':root {{ color-scheme: light dark; {block(LIGHT)} }}\n'
    f'@media (prefers-color-scheme: dark) {{ :root {{ {block(DARK)} }} }}'
  )
