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

COMMAND = 'diagnose'
SEEDS = {'small': 20, 'solid': 60, 'tiny': 2}
DECAY = 'agent.epsilon_decay_steps'
SLOW, FAST = {DECAY: 30_000}, {DECAY: 1000}


def get_config(variant: str = ''):
  if variant not in SEEDS:
    raise ValueError(f'unknown variant {variant!r}; valid: {", ".join(SEEDS)}')
  config = control.get_config('mountain_car')
  config.seed = 1000  # Settings were explored on seeds below 100.
  config.num_seeds = SEEDS[variant]
  config.num_steps = config.fork.horizon = 8000
  config.agent.epsilon_end = 0.02
  config.diagnostics.names = ('dormant_units',)
  config.checkpoint.every_steps = 4000
  config.fork.arms = ('control', 'injection')
  if variant == 'tiny':
    config.network.hidden = (8, 8)
    config.segment_steps = config.num_steps = config.fork.horizon = 200
    config.evaluation.every_steps = 200
    config.replay.min_size = 50
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


def figure(study):
  from plasticity_rl.analysis.pages import study_figures

  return study_figures.arms(study)
