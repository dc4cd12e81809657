"""Is the flat line of MinAtar Asterix lost plasticity?

Double DQN at a learning rate of 1e-3, forked at 200,000 steps. Why would a
reset of the head not help there? Beside injection: a reset of the head; one
whose predictions keep their mean, if it is the offset of the values that a
reset head cannot fit; and an injection without the third term. `small` has 10
seeds, `solid` 30 and forks at 400,000 steps too; `tiny` is for tests.
"""

from plasticity_rl.analysis.study.claims import Above
from plasticity_rl.analysis.study.claims import Claim
from plasticity_rl.analysis.study.quantities import Contrast
from plasticity_rl.analysis.study.quantities import Level
from plasticity_rl.configs import minatar
from plasticity_rl.configs.studies import confirming

COMMAND = 'diagnose'
SEEDS = {'small': 10, 'solid': 30, 'tiny': 2}
DEAD = 'plasticity/q/dormant_units/head'


def get_config(variant: str = ''):
  config = minatar.get_config('asterix')
  confirming.seeded(config, SEEDS, variant)
  config.optimizer.learning_rate = 1e-3
  config.num_steps = 400_000 if variant == 'solid' else 200_000
  config.fork.horizon = 40_000
  config.diagnostics.names = ('dormant_units', 'srank')
  config.checkpoint.every_steps = 40_000
  config.fork.arms = (
    'control',
    'injection',
    'head_reset=reset(scope="head")',
    'head_reset_mean=reset(scope="head", keep_mean=True)',
    'two_terms=injection(third_term=False)',
  )
  if variant == 'tiny':
    confirming.make_tiny(config)
  return config


def get_sweep(h, variant: str = ''):
  steps = [200_000, 400_000] if variant == 'solid' else [-1]
  return h.sweep('fork.step', steps)


CLAIMS = (
  Claim(
    name='lost',
    sentence=(
      'The flat line of Asterix is lost plasticity: injection lifts it.'
    ),
    rules=(Above(Contrast('injection')),),
    doubt='A control that rises by itself, or an injection that stays as flat.',
  ),
  Claim(
    name='dead_head',
    sentence='At the fork most units of the head are dormant.',
    rules=(Above(Level('control', column=DEAD, step='fork'), 0.5),),
    doubt='A head that is alive, and yet does not learn.',
  ),
  Claim(
    name='head_reset_fails',
    sentence='A reset of the head gains less than an injection.',
    rules=(Above(Contrast('injection', 'head_reset')),),
    doubt='A head reset that gains as much.',
  ),
  Claim(
    name='not_the_offset',
    sentence=(
      'It is not the offset of the values: a head reset that keeps the mean '
      'prediction gains less than an injection, too.'
    ),
    rules=(Above(Contrast('injection', 'head_reset_mean')),),
    doubt='A reset that keeps the mean and gains as much as an injection.',
  ),
)
