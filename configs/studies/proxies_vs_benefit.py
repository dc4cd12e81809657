"""Do cheap proxies tell where an injection helps?

Forks many networks, measures all that can be measured, injects, and sets one
against the other. (`diagnose --proxies` asks the same of one run, with time
taken out.)

Full: Atari. `small`: continual Catch at three learning rates and four moments;
15 minutes on two cores. `tiny` is for tests.
"""

from plasticity_rl.configs import continual_catch

COMMAND = 'diagnose'
NAMES = (
  'weight_norm',
  'srank',
  'effective_rank',
  'feature_rank',
  'stable_rank',
  'dead_units',
  'dormant_units',
  'active_units',
)


def get_config(variant: str = ''):
  if variant == 'small':
    config = continual_catch.get_config()
    config.num_seeds = 6
    config.diagnostics.every_steps = continual_catch.TASK_STEPS
    config.diagnostics.names = NAMES
  elif variant == 'tiny':
    config = continual_catch.get_config('tiny')
  elif variant == '':
    from plasticity_rl.configs import dqn_atari

    config = dqn_atari.get_config()
    config.diagnostics.names = NAMES
  else:
    raise ValueError(f'unknown variant {variant!r}; valid: small, tiny')
  config.fork.arms = ('control', 'injection')
  return config


def get_sweep(h, variant: str = ''):
  task = continual_catch.TASK_STEPS
  if variant == 'small':
    return h.product(
      h.sweep('optimizer.learning_rate', [3e-4, 1e-3, 3e-3]),
      h.sweep('fork.step', [task, 4 * task, 8 * task, 12 * task]),
    )
  if variant == 'tiny':
    return h.sweep('fork.step', [100, 200])
  from plasticity_rl.configs.studies import atari

  return h.product(
    atari.games(h),
    h.sweep('fork.step', [atari.steps(m * 1e6) for m in (10, 25, 50, 100)]),
    h.sweep('seed', [1, 2, 3]),
  )


def figure(study):
  from plasticity_rl.analysis.pages import study_figures

  return study_figures.against_measurements(study)
