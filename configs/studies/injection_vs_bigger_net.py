"""Injection against a bigger network: is it the size that helps?

After an injection the head is three times as large, and one forward pass
dearer, but only from then on. The bigger network has that size from the start.
The figure sets the score against the compute that each took.

Full: six Atari games. `small`: continual Catch; ten minutes on two cores.
`tiny` is for tests.
"""

from plasticity_rl.configs import continual_catch

GAMES = ('phoenix', 'space_invaders', 'assault', 'robotank', 'asterix', 'qbert')


def get_config(variant: str = ''):
  if variant == 'small':
    config = continual_catch.get_config('demo')
    config.num_steps = 10 * continual_catch.TASK_STEPS
  elif variant == 'tiny':
    config = continual_catch.get_config('tiny')
  elif variant == '':
    from plasticity_rl.configs import dqn_atari

    config = dqn_atari.get_config()
  else:
    raise ValueError(f'unknown variant {variant!r}; valid: small, tiny')
  return config


def get_sweep(h, variant: str = ''):
  from plasticity_rl.configs.studies import atari

  when = {
    'small': 9 * continual_catch.TASK_STEPS,
    'tiny': 200,
    '': atari.steps(50e6),
  }[variant]
  arms = h.chain(
    h.arm('control'),
    h.arm('injection', {'interventions': (f'injection(at_steps={when})',)}),
    h.arm('bigger head', {'network.sized_for_injections': 1}),
    h.arm(
      'bigger',
      {
        'network.sized_for_injections': 1,
        'network.sized_part': 'all',
      },
    ),
  )
  if variant:
    return arms
  return h.product(atari.games(h, GAMES), h.sweep('seed', [1, 2, 3]), arms)


def figure(study):
  from plasticity_rl.analysis.pages import study_figures

  return study_figures.by_compute(study)
