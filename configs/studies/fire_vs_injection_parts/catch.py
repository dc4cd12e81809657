"""FIRE or injection on continual Catch: what restores learning?

Double DQN, forked after twelve tasks; each arm plays the thirteenth. The replay
is emptied at the switch. `small` has 20 seeds, `solid` 60; `tiny` is for tests.
"""

from plasticity_rl.configs import continual_catch
from plasticity_rl.configs.studies import confirming
from plasticity_rl.configs.studies import fire_vs_injection

COMMAND = 'diagnose'
SEEDS = {'small': 20, 'solid': 60, 'tiny': 2}
MARGIN = 0.2  # A tenth of the range of returns.
CLAIMS = fire_vs_injection.claims('catch', MARGIN)


def get_config(variant: str = ''):
  tiny = 'tiny' if variant == 'tiny' else ''
  config = continual_catch.get_config(tiny)
  confirming.seeded(config, SEEDS, variant)
  config.diagnostics.names = ('dormant_units',)
  config.fork.margin = MARGIN
  config.fork.arms = fire_vs_injection.arms(
    shrink=0.2, c_chain=0.01, regrama='tau=0.01, every_updates=500'
  )
  return config


def get_sweep(h, variant: str = ''):
  del variant
  return h.sweep('fork.step', [-1])
