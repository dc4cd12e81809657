"""Does every environment start, step, learn from what it stored, and log?

A study of runs of under a minute each: the 57 games of Atari with the network
of the protocol, or with `pixels` the 19 tasks of DrQ's published curves, with
the small one.

  python -m launch.local --config=configs/every_environment.py --workdir=DIR
"""

from plasticity_rl.configs import dqn_atari
from plasticity_rl.configs import drq_dmc
from plasticity_rl.environments import atari_games

DRQ_TASKS = (
  'acrobot_swingup',
  'cartpole_balance',
  'cartpole_balance_sparse',
  'cartpole_swingup',
  'cartpole_swingup_sparse',
  'cheetah_run',
  'finger_spin',
  'finger_turn_easy',
  'finger_turn_hard',
  'hopper_hop',
  'hopper_stand',
  'pendulum_swingup',
  'quadruped_run',
  'quadruped_walk',
  'reacher_easy',
  'reacher_hard',
  'walker_run',
  'walker_stand',
  'walker_walk',
)


def get_config(variant: str = ''):
  if variant == 'pixels':
    # Of the full size an update takes a CPU a second.
    config = drq_dmc.get_config('small')
    config.agent.random_steps = 150
  elif variant == '':
    config = dqn_atari.get_config('short')
  else:
    raise ValueError(f'unknown variant {variant!r}; valid: pixels')
  config.num_steps = 1000 if variant == '' else 250
  config.segment_steps = config.num_steps // 5
  config.replay.min_size = config.num_steps * 3 // 5
  config.evaluation.every_steps = config.num_steps
  config.evaluation.episodes = 1
  config.evaluation.max_steps = 500
  config.diagnostics.every_steps = config.num_steps
  config.checkpoint.every_steps = config.num_steps
  return config


def get_sweep(h, variant: str = ''):
  if variant == 'pixels':
    return h.sweep(
      'environment.name', [f'dmc_pixels_{task}' for task in DRQ_TASKS]
    )
  return h.sweep(
    'environment.name', [f'atari_{game}' for game in atari_games.SCORES]
  )
