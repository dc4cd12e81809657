"""Resets on SAC and DrQ: how often, of what, at which replay ratio?

After Nikishin et al., "The Primacy Bias in Deep RL" (2022): SAC is reset whole
every 2e5 environment steps, DrQ all but its encoder every 2e5 frames; the
replay is kept.

Full: SAC on five DMC tasks from states at three replay ratios; `drq`: DrQ on
three from pixels. `small`: the same question of DQN on continual Catch, whose
head is reset at the switches; ten minutes on two cores. `tiny` is for tests.
"""

from plasticity_rl.configs import continual_catch

PERIOD = 200_000
DRQ_FRAMES = 2_000_000  # Of a run, which is reset ten times.


def get_config(variant: str = ''):
  if variant == 'small':
    config = continual_catch.get_config('demo')
    config.num_steps = 10 * continual_catch.TASK_STEPS
    config.diagnostics.every_steps = continual_catch.TASK_STEPS
  elif variant == 'tiny':
    config = continual_catch.get_config('tiny')
  elif variant == 'drq':
    from plasticity_rl.configs import drq_dmc

    config = drq_dmc.get_config()
  elif variant == '':
    from plasticity_rl.configs import sac_dmc

    config = sac_dmc.get_config()
  else:
    raise ValueError(f'unknown variant {variant!r}; valid: drq, small, tiny')
  return config


def get_sweep(h, variant: str = ''):
  def resets(scope, every):
    return h.chain(
      h.arm('control'),
      h.arm(
        'resets',
        {'interventions': (f'reset(scope="{scope}", every_steps={every})',)},
      ),
    )

  if variant == 'small':
    task = continual_catch.TASK_STEPS
    return h.product(
      h.sweep('replay.updates_per_step', [0.5, 1.0, 2.0]),
      h.chain(
        resets('head', task),
        h.arm(
          'every fourth',
          {'interventions': (f'reset(scope="head", every_steps={4 * task})',)},
        ),
        h.arm(
          'everything',
          {
            'interventions': (f'reset(scope="everything", every_steps={task})',)
          },
        ),
      ),
    )
  if variant == 'tiny':
    return resets('head', 100)
  from plasticity_rl.configs.studies import dmc

  if variant == 'drq':

    def task(name, action_repeat):
      steps = DRQ_FRAMES // action_repeat
      return h.product(
        dmc.tasks(h, (name,), 'dmc_pixels_'),
        h.sweep('environment.action_repeat', [action_repeat]),
        h.sweep('num_steps', [steps]),
        h.sweep('seed', [1, 2, 3]),
        resets('all_but_encoder', steps // 10),
      )

    return h.chain(
      task('cheetah_run', 4), task('hopper_hop', 2), task('walker_run', 2)
    )
  return h.product(
    dmc.tasks(h),
    h.sweep('replay.updates_per_step', [1.0, 9.0, 32.0]),
    h.sweep('seed', [1, 2, 3]),
    resets('everything', PERIOD),
  )


def figure(study):
  from plasticity_rl.analysis.pages import study_figures

  if 'replay.updates_per_step' in study.axes:
    return study_figures.along_axis(study, 'replay.updates_per_step')
  return study_figures.arms(study)
