"""Injection against resets and shrink-and-perturb: which cure is best, and why?

All arms start from the same networks. A reset that helps where injection does
not has cured something else than lost plasticity.

Full: ten Atari games. `small`: continual Catch at three learning rates; ten
minutes on two cores. `tiny` is for tests.
"""

from plasticity_rl.configs import continual_catch

COMMAND = 'diagnose'
ARMS = (
  'control',
  'injection',
  'head_reset=reset(scope="head")',
  'last_reset=reset(scope="last")',
  'shrink_and_perturb',
  'gentle=shrink_and_perturb(shrink=1.0, perturb=0.01)',
  'optimizer_reset',
)


def get_config(variant: str = ''):
  if variant == 'small':
    config = continual_catch.get_config()
    config.num_seeds = 10
  elif variant == 'tiny':
    config = continual_catch.get_config('tiny')
  elif variant == '':
    from plasticity_rl.configs import dqn_atari

    config = dqn_atari.get_config()
    config.fork.step = int(50e6) // 4
  else:
    raise ValueError(f'unknown variant {variant!r}; valid: small, tiny')
  config.fork.arms = ARMS
  return config


def get_sweep(h, variant: str = ''):
  if variant == 'small':
    return h.sweep('optimizer.learning_rate', [1e-3, 2e-3, 3e-3])
  if variant == 'tiny':
    return h.sweep('optimizer.learning_rate', [1e-3, 3e-3])
  from plasticity_rl.configs.studies import atari

  return h.product(atari.games(h), h.sweep('seed', [1, 2, 3]))


def figure(study):
  from plasticity_rl.analysis.pages import study_figures

  return study_figures.arms(study)
