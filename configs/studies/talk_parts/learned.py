"""A flat line at the top: does injection leave alone what has learned its task?

SAC on Pendulum, forked once it swings up. `small` has 20 seeds, `solid` 60;
`tiny` is for tests.
"""

from plasticity_rl.analysis.study.claims import Above
from plasticity_rl.analysis.study.claims import Claim
from plasticity_rl.analysis.study.claims import Within
from plasticity_rl.analysis.study.quantities import Contrast
from plasticity_rl.analysis.study.quantities import Level
from plasticity_rl.configs import control
from plasticity_rl.configs.studies import confirming

COMMAND = 'diagnose'
SEEDS = {'small': 20, 'solid': 60, 'tiny': 2}
MARGIN = 50  # Untrained it is at about -1200, and at best at about -150.
LEARNED = -250


def get_config(variant: str = ''):
  config = control.get_config('pendulum')
  confirming.seeded(config, SEEDS, variant)
  config.num_steps, config.fork.horizon = 8000, 4000
  config.diagnostics.names = ('dormant_units',)
  config.checkpoint.every_steps = 4000
  config.fork.arms = ('control', 'injection')
  if variant == 'tiny':
    confirming.make_tiny(config)
  return config


def get_sweep(h):
  return h.sweep('optimizer.learning_rate', [1e-3])


CLAIMS = (
  Claim(
    name='learned',
    sentence='What has learned its task is left alone by an injection.',
    rules=(
      Within(Contrast('injection'), MARGIN),
      Above(Level('control'), LEARNED),
    ),
    doubt='A learned task whose returns an injection moves by the margin.',
  ),
)
