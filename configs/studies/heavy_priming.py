"""Heavy priming: does a reset cure more than lost plasticity?

Many updates on the first few transitions inflate values and wear the network
out. Injection keeps the inflated values, a reset does not: what one gains and
the other does not is the part that is not plasticity.

Full: SAC on two DMC tasks, 100k priming updates. `small`: MinAtar Breakout at
four amounts of priming; half an hour on two cores. `tiny` is for tests.
"""

from plasticity_rl.configs import minatar

COMMAND = 'diagnose'


def get_config(variant: str = ''):
  if variant == 'small':
    config = minatar.get_config('primed')
    config.num_seeds = 4
    config.fork.horizon = 20_000 // 300 * 300
  elif variant == 'tiny':
    config = minatar.get_config('primed,mlp')
    config.num_seeds = 2
    config.network.hidden = (8, 8)
    config.evaluation.every_steps = 300
    config.evaluation.episodes = 2
    config.evaluation.max_steps = 50
    config.diagnostics.names = ('weight_norm',)
    config.fork.horizon = 300
  elif variant == '':
    from plasticity_rl.configs import sac_dmc

    config = sac_dmc.get_config('primed')
  else:
    raise ValueError(f'unknown variant {variant!r}; valid: small, tiny')
  config.fork.arms = ('control', 'injection', 'head_reset=reset(scope="head")')
  return config


def get_sweep(h, variant: str = ''):
  if variant == 'small':
    return h.sweep('replay.priming_updates', [0, 5000, 20_000, 50_000])
  if variant == 'tiny':
    return h.sweep('replay.priming_updates', [10, 20])
  from plasticity_rl.configs.studies import dmc

  return h.product(
    dmc.tasks(h, ('quadruped_run', 'hopper_hop')),
    h.sweep('replay.priming_updates', [0, 20_000, 100_000]),
    h.sweep('seed', [1, 2, 3]),
  )


def figure(study):
  from plasticity_rl.analysis.pages import study_figures

  return study_figures.along_axis(study, 'replay.priming_updates')
