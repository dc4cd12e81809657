"""A low line that injection does not lift: is the network too small?

DQN on CartPole with a hidden layer of two units, and with two of 64. `small`
has 20 seeds, `solid` 60; `tiny` is for tests.
"""

from plasticity_rl.analysis.study.claims import Above
from plasticity_rl.analysis.study.claims import Claim
from plasticity_rl.analysis.study.claims import Within
from plasticity_rl.analysis.study.quantities import Contrast
from plasticity_rl.configs import control
from plasticity_rl.configs.studies import confirming

COMMAND = 'diagnose'
SEEDS = {'small': 20, 'solid': 60, 'tiny': 2}
WIDTH = 'network.hidden'
SMALL, LARGE = (2,), (64, 64)


def get_config(variant: str = ''):
  config = control.get_config('cartpole')
  confirming.seeded(config, SEEDS, variant)
  config.num_steps, config.fork.horizon = 10_000, 5000
  config.diagnostics.names = ('dormant_units',)
  config.checkpoint.every_steps = 5000
  config.network.split = 0
  config.fork.arms = ('control', 'injection')
  if variant == 'tiny':
    confirming.make_tiny(config)
  return config


def get_sweep(h):
  return h.sweep(WIDTH, [SMALL, LARGE])


CLAIMS = (
  Claim(
    name='capacity_limited',
    sentence=(
      'What a network of two units lacks is capacity: injection does not lift '
      'it, a larger network is far above.'
    ),
    rules=(
      Within(Contrast('injection', at={WIDTH: SMALL}), 50),
      Above(
        Contrast(
          'control', 'control', at={WIDTH: LARGE}, base_at={WIDTH: SMALL}
        ),
        50,
      ),
    ),
    doubt='Two units that reach with an injection what many reach.',
  ),
)
