"""Does injection gain more, the larger the learning rate?

Continual Catch, forked after eight tasks. `small` has 20 seeds, ten minutes on
two cores; `solid` 40, and twelve tasks; `tiny` is for tests. At full scale, on
Atari: `configs/studies/replay_ratio_lr_width.py`.
"""

from plasticity_rl.analysis.study.claims import Above
from plasticity_rl.analysis.study.claims import Claim
from plasticity_rl.analysis.study.quantities import Contrast
from plasticity_rl.analysis.study.quantities import Trend
from plasticity_rl.configs import continual_catch

COMMAND = 'diagnose'
RATE = 'optimizer.learning_rate'


def get_config(variant: str = ''):
  if variant in ('small', 'solid'):
    seeds, tasks = {'small': (20, 8), 'solid': (40, 12)}[variant]
    config = continual_catch.get_config()
    config.num_seeds = seeds
    config.num_steps = tasks * continual_catch.TASK_STEPS
  elif variant == 'tiny':
    config = continual_catch.get_config('tiny')
  else:
    raise ValueError(f'unknown variant {variant!r}; valid: small, solid, tiny')
  config.seed = 1000  # Settings were explored on seeds below 100.
  config.fork.arms = ('control', 'injection')
  return config


def get_sweep(h):
  return h.sweep(RATE, [3e-4, 1e-3, 3e-3])


CLAIMS = (
  Claim(
    name='gain_by_learning_rate',
    sentence='Injection gains more, the larger the learning rate.',
    rules=(
      Above(Trend(Contrast('injection'), RATE)),
      Above(Contrast('injection', at={RATE: 3e-3}), 0.1),
    ),
    doubt=(
      'A gain at the largest rate that is no larger than at the smallest, or '
      'a trend on this toy that is not there on a stationary task.'
    ),
  ),
)


def figure(study):
  from plasticity_rl.analysis.pages import study_figures

  return study_figures.along_axis(study, RATE)
