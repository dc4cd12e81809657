"""FIRE or injection on MinAtar Space Invaders: is one game enough to tell?

Stationary, as Atari is: double DQN at a learning rate of 1e-3, whose returns
have fallen from their peak by the fork at 400,000 steps. Encoder and head are
convolution and dense layers, as in FIRE's repository; so FIRE's reset is of the
head alone, the same layers as there. `small` has 10 seeds, `solid` 20; `tiny`
is for tests.
"""

from plasticity_rl.configs import minatar
from plasticity_rl.configs.studies import confirming
from plasticity_rl.configs.studies import fire_vs_injection

COMMAND = 'diagnose'
SEEDS = {'small': 10, 'solid': 20, 'tiny': 2}
# As much as two forks of 3 seeds differed by luck; the range of returns, which
# is far above what is reached, says nothing here.
MARGIN = 5.0
CLAIMS = fire_vs_injection.claims('space_invaders', MARGIN)


def get_config(variant: str = ''):
  config = minatar.get_config('space_invaders')
  confirming.seeded(config, SEEDS, variant)
  config.optimizer.learning_rate = 1e-3
  config.num_steps = 400_000
  config.fork.horizon = 60_000
  config.fork.margin = MARGIN
  config.diagnostics.names = ('dormant_units',)
  config.fork.arms = fire_vs_injection.arms(
    shrink=0.5, c_chain=0.01, regrama='tau=0.01, every_updates=1000'
  )
  if variant == 'tiny':
    confirming.make_tiny(config)
  return config


def get_sweep(h, variant: str = ''):
  del variant
  return h.sweep('fork.step', [-1])
