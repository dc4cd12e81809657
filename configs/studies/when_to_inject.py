"""When does plasticity injection help: how early, how late?

Forks the same runs at many steps. A network that is still plastic gains
nothing from an injection; one that has lost its plasticity gains at once. What
lies between is where a schedule should inject.

Full: Atari, forks from 10 to 150 million frames. `small`: continual Catch,
forks after each of 1 to 12 tasks; a few minutes on two cores. `tiny` is for
tests.
"""

from plasticity_rl.configs import continual_catch

COMMAND = 'diagnose'
GAMES = ('phoenix', 'space_invaders', 'assault', 'robotank')


def get_config(variant: str = ''):
  if variant == 'small':
    config = continual_catch.get_config()
    config.num_seeds = 10
    config.fork.arms = (
      'control',
      'injection',
      'head_reset=reset(scope="head")',
    )
  elif variant == 'tiny':
    config = continual_catch.get_config('tiny')
    config.fork.arms = ('control', 'injection')
  elif variant == '':
    from plasticity_rl.configs import dqn_atari

    config = dqn_atari.get_config()
    config.fork.arms = ('control', 'injection')
  else:
    raise ValueError(f'unknown variant {variant!r}; valid: small, tiny')
  return config


def get_sweep(h, variant: str = ''):
  if variant == 'small':
    tasks = (1, 2, 3, 4, 6, 8, 10, 12)
    return h.sweep(
      'fork.step', [continual_catch.TASK_STEPS * task for task in tasks]
    )
  if variant == 'tiny':
    return h.sweep('fork.step', [100, 200])
  from plasticity_rl.configs.studies import atari

  millions = (10, 30, 50, 100, 150)
  return h.product(
    atari.games(h, GAMES),
    h.sweep('fork.step', [atari.steps(m * 1e6) for m in millions]),
    h.sweep('seed', [1, 2, 3]),
  )


def figure(study):
  from plasticity_rl.analysis.pages import study_figures

  return study_figures.along_axis(study, 'fork.step')
