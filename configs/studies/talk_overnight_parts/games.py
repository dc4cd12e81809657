"""On which of the five MinAtar games does an injection gain?

As `lost_asterix`: double DQN at a learning rate of 1e-3, forked at 200,000
steps. Bars are the percent change of the return against the control, game by
game. `small` has 10 seeds, `solid` 30; `tiny` is for tests.
"""

from plasticity_rl.analysis.study.claims import Above
from plasticity_rl.analysis.study.claims import Claim
from plasticity_rl.analysis.study.claims import Within
from plasticity_rl.analysis.study.quantities import Contrast
from plasticity_rl.configs import minatar
from plasticity_rl.configs.studies.talk_parts import lost_asterix

COMMAND = 'diagnose'
TASK = 'environment.name'
GAMES = tuple(f'minatar_{game}' for game in minatar.GAMES if game != 'sequence')


def get_config(variant: str = ''):
  config = lost_asterix.get_config(variant)
  config.seed = 3000  # Others than of the parts on Asterix.
  if variant != 'tiny':
    config.num_steps = 200_000
  config.fork.arms = ('control', 'injection')
  return config


def get_sweep(h):
  return h.sweep(TASK, GAMES)


def _on(game):
  return Contrast('injection', at={TASK: f'minatar_{game}'})


CLAIMS = (
  Claim(
    name='not_uniform',
    sentence=(
      'Injection lifts Asterix, and on Breakout changes less than a tenth of '
      'the range of returns.'
    ),
    rules=(Above(_on('asterix')), Within(_on('breakout'), 3)),
    doubt='A gain on both games, or on neither.',
  ),
)
