"""A flat line that injection does not move: is it exploration?

DQN on MountainCar. With an epsilon that falls over 30,000 steps random actions
never reach the goal, and returns stay at -200; greedy on values that begin too
high, some runs do. `small` has 20 seeds, `solid` 60; `tiny` is for tests.
"""

from plasticity_rl.analysis.study.claims import Above
from plasticity_rl.analysis.study.claims import Claim
from plasticity_rl.analysis.study.claims import Within
from plasticity_rl.analysis.study.quantities import Contrast
from plasticity_rl.configs import control
from plasticity_rl.configs.studies import confirming

COMMAND = 'diagnose'
SEEDS = {'small': 20, 'solid': 60, 'tiny': 2}
DECAY = 'agent.epsilon_decay_steps'
SLOW, FAST = {DECAY: 30_000}, {DECAY: 1000}


def get_config(variant: str = ''):
  config = control.get_config('mountain_car')
  confirming.seeded(config, SEEDS, variant)
  config.num_steps = config.fork.horizon = 8000
  config.agent.epsilon_end = 0.02
  config.diagnostics.names = ('dormant_units',)
  config.checkpoint.every_steps = 4000
  config.fork.arms = ('control', 'injection')
  if variant == 'tiny':
    confirming.make_tiny(config)
  return config


def get_sweep(h):
  return h.sweep(DECAY, [30_000, 1000])


CLAIMS = (
  Claim(
    name='exploration_limited',
    sentence=(
      'The flat line of a DQN that explores by dithering is not lost '
      'plasticity: injection leaves it flat, other exploration does not.'
    ),
    rules=(
      Within(Contrast('injection', at=SLOW), 10),
      Above(Contrast('control', 'control', at=FAST, base_at=SLOW)),
    ),
    doubt='A gain from injection, or none from another exploration.',
  ),
)
