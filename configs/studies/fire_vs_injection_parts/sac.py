"""FIRE or injection on SAC: what helps critic and actor on a control problem?

SAC on a pendulum whose physics changes every 10,000 steps, the replay emptied;
forked after nine tasks, each arm has the tenth. Every method acts on critics
and actor. `small` has 10 seeds, `solid` 30; `tiny` is for tests.
"""

from plasticity_rl.configs import control
from plasticity_rl.configs.studies import fire_vs_injection
from plasticity_rl.configs.studies.fire_vs_injection import figure as figure

COMMAND = 'diagnose'
SEEDS = {'small': 10, 'solid': 30, 'tiny': 2}
MARGIN = 160  # A tenth of the range of returns, about -1600 to 0.
CLAIMS = fire_vs_injection.claims('sac', MARGIN)


def get_config(variant: str = ''):
  if variant not in SEEDS:
    raise ValueError(f'unknown variant {variant!r}; valid: {", ".join(SEEDS)}')
  config = control.get_config('pendulum,continual')
  config.seed = fire_vs_injection.FIRST_SEED
  config.num_seeds = SEEDS[variant]
  config.num_steps = 90_000
  config.fork.horizon = 10_000
  config.fork.margin = float(MARGIN)
  config.diagnostics.names = ('dormant_units',)
  config.fork.arms = fire_vs_injection.arms(
    shrink=0.5, c_chain=0.01, regrama='tau=0.01, every_updates=1000'
  )
  if variant == 'tiny':
    config.network.hidden = (8, 8)
    config.segment_steps = config.num_steps = config.fork.horizon = 100
    config.replay.min_size = config.agent.random_steps = 50
    config.environment.switch_every_steps = config.replay.capacity = 100
    config.evaluation.every_steps = config.diagnostics.every_steps = 100
    config.evaluation.episodes = 1
    config.evaluation.max_steps = 20
  return config


def get_sweep(h, variant: str = ''):
  del variant
  return h.sweep('fork.step', [-1])
