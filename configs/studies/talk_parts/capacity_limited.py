"""A low line that injection does not lift: is the network too small?

DQN on CartPole with a hidden layer of two units, and with two of 64. `small`
has 20 seeds, `solid` 60; `tiny` is for tests.
"""

from plasticity_rl.analysis.study.claims import Above
from plasticity_rl.analysis.study.claims import Claim
from plasticity_rl.analysis.study.claims import Within
from plasticity_rl.analysis.study.quantities import Contrast
from plasticity_rl.configs import control

COMMAND = 'diagnose'
SEEDS = {'small': 20, 'solid': 60, 'tiny': 2}
WIDTH = 'network.hidden'
SMALL, LARGE = (2,), (64, 64)


def get_config(variant: str = ''):
  if variant not in SEEDS:
    raise ValueError(f'unknown variant {variant!r}; valid: {", ".join(SEEDS)}')
  config = control.get_config('cartpole')
  config.seed = 1000  # Settings were explored on seeds below 100.
  config.num_seeds = SEEDS[variant]
  config.num_steps, config.fork.horizon = 10_000, 5000
  config.diagnostics.names = ('dormant_units',)
  config.checkpoint.every_steps = 5000
  config.network.split = 0
  config.fork.arms = ('control', 'injection')
  if variant == 'tiny':
    config.segment_steps = config.num_steps = config.fork.horizon = 200
    config.evaluation.every_steps = 200
    config.evaluation.max_steps = 20
    config.replay.min_size = 50
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


def figure(study):
  from plasticity_rl.analysis.pages import study_figures

  return study_figures.arms(study)
