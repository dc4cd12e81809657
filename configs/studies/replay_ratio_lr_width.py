"""Where does injection gain most: replay ratio x learning rate x width?

More updates and longer steps wear a network out sooner; a wider one later. A
square is the gain of an injection over the control.

Full: Atari, two games. `small`: continual Catch, eight tasks; 40 minutes on two
cores. `tiny` is for tests.
"""

from plasticity_rl.configs import continual_catch

COMMAND = 'diagnose'


def get_config(variant: str = ''):
  if variant == 'small':
    config = continual_catch.get_config()
    config.num_seeds = 6
    config.num_steps = 8 * continual_catch.TASK_STEPS
    config.diagnostics.every_steps = 2 * continual_catch.TASK_STEPS
  elif variant == 'tiny':
    config = continual_catch.get_config('tiny')
  elif variant == '':
    from plasticity_rl.configs import dqn_atari

    config = dqn_atari.get_config()
    config.fork.step = int(50e6) // 4
  else:
    raise ValueError(f'unknown variant {variant!r}; valid: small, tiny')
  config.fork.arms = ('control', 'injection')
  return config


def get_sweep(h, variant: str = ''):
  ratios, rates, widths = {
    'small': ([0.5, 1.0, 2.0], [3e-4, 1e-3, 3e-3], [(32, 32), (128, 128)]),
    'tiny': ([1.0], [1e-3, 3e-3], [(32, 32), (64, 64)]),
    '': (
      [0.125, 0.25, 0.5],
      [6.25e-5, 2.5e-4, 1e-3],
      [(128,), (512,), (2048,)],
    ),
  }[variant]
  grid = h.product(
    h.sweep('replay.updates_per_step', ratios),
    h.sweep('optimizer.learning_rate', rates),
    h.sweep('network.hidden', widths),
  )
  if variant:
    return grid
  from plasticity_rl.configs.studies import atari

  return h.product(
    atari.games(h, ('phoenix', 'space_invaders')),
    h.sweep('seed', [1, 2, 3]),
    grid,
  )


def figure(study):
  from plasticity_rl.analysis.pages import study_figures

  return study_figures.grid(
    study,
    'optimizer.learning_rate',
    'replay.updates_per_step',
    'network.hidden',
  )
