"""Does injection leave an agent alone that learns?

DQN on Acrobot, forked while it learns. `small` has 20 seeds, `solid` 60; `tiny`
is for tests.
"""

from plasticity_rl.analysis.study.claims import Claim
from plasticity_rl.analysis.study.claims import Within
from plasticity_rl.analysis.study.quantities import Contrast
from plasticity_rl.configs import control
from plasticity_rl.configs.studies import confirming

COMMAND = 'diagnose'
SEEDS = {'small': 20, 'solid': 60, 'tiny': 2}
MARGIN = 43  # A tenth of the range of returns.


def get_config(variant: str = ''):
  config = control.get_config('acrobot')
  confirming.seeded(config, SEEDS, variant)
  config.num_steps = config.fork.horizon = 6000
  config.diagnostics.names = ('dormant_units',)
  config.checkpoint.every_steps = 6000
  config.fork.arms = ('control', 'injection')
  if variant == 'tiny':
    confirming.make_tiny(config)
  return config


def get_sweep(h):
  return h.sweep('optimizer.learning_rate', [5e-4])


CLAIMS = (
  Claim(
    name='healthy',
    sentence='An agent that learns is left alone by an injection.',
    rules=(Within(Contrast('injection'), MARGIN),),
    doubt='A gain or a loss of a tenth of the range of returns.',
  ),
)
