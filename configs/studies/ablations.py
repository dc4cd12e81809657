"""Which part of an injection is it that helps?

Several injections at once and one after another; without the third term (then
predictions jump); with the original head left to learn; with no encoder shared;
the optimizer's state kept or reset as well; weights against the optimizer; and
an injection that waits for a criterion.

Full: four Atari games. `small`: continual Catch; 15 minutes on two cores.
`tiny` is for tests.
"""

from plasticity_rl.configs import continual_catch

GAMES = ('phoenix', 'space_invaders', 'assault', 'robotank')


def get_config(variant: str = ''):
  if variant == 'small':
    config = continual_catch.get_config('demo')
    config.num_steps = 10 * continual_catch.TASK_STEPS
    config.diagnostics.every_steps = 500  # For the criterion.
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

  when, again = {
    'small': (9 * continual_catch.TASK_STEPS, 5 * continual_catch.TASK_STEPS),
    'tiny': (200, 100),
    '': (atari.steps(50e6), atari.steps(25e6)),
  }[variant]

  def one(label, expression, **more):
    return h.arm(label, {'interventions': (expression,), **more})

  arms = h.chain(
    h.arm('control'),
    one('injection', f'injection(at_steps={when})'),
    one('iterated', f'injection(at_steps=({again}, {when}))'),
    one('no third term', f'injection(third_term=False, at_steps={when})'),
    one('unfrozen', f'injection(freeze_original=False, at_steps={when})'),
    one(
      'no shared encoder', f'injection(at_steps={when})', **{'network.split': 0}
    ),
    one(
      'optimizer kept', f'injection(optimizer_state="keep", at_steps={when})'
    ),
    one(
      'optimizer reset too',
      f'injection(optimizer_state="reset_all", at_steps={when})',
    ),
    one('optimizer alone', f'optimizer_reset(at_steps={when})'),
    one(
      'adaptive',
      'injection(when="plasticity/q/dormant_units/head > 0.5")',
      **{'network.slots': 1},
    ),
  )
  if variant:
    return arms
  return h.product(atari.games(h, GAMES), h.sweep('seed', [1, 2, 3]), arms)


def figure(study):
  from plasticity_rl.analysis.pages import study_figures

  return study_figures.arms(study)
