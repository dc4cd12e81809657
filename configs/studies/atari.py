"""What studies at full scale share: games, and frames as agent steps.

Papers' 50M and 200M on Atari are frames, of which the emulator shows the agent
every fourth.
"""

ACTION_REPEAT = 4
# 57 games would be a study of a cluster; these ten hold every kind of case that
# the injection paper names, and the usual suspects.
GAMES = (
  'phoenix',
  'space_invaders',
  'assault',
  'robotank',
  'asterix',
  'breakout',
  'demon_attack',
  'qbert',
  'seaquest',
  'beam_rider',
)


def steps(frames: float) -> int:
  """Agent steps of so many frames."""
  return int(frames) // ACTION_REPEAT


def games(h, names=GAMES):
  """A sweep over games."""
  return h.sweep('environment.name', [f'atari_{name}' for name in names])
