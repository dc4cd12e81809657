"""FIRE or injection on random labels: what restores learning?

A classifier that has memorised twenty draws of labels one after another learns
the next one; supervised, so that there is no target network. `small` has 20
seeds, `solid` 60; `tiny` is for tests.
"""

from plasticity_rl.configs import random_labels
from plasticity_rl.configs.studies import confirming
from plasticity_rl.configs.studies import fire_vs_injection

COMMAND = 'diagnose'
SEEDS = {'small': 20, 'solid': 60, 'tiny': 2}
MARGIN = 0.23  # A tenth of the loss at chance, log 10.
CLAIMS = fire_vs_injection.claims('random_labels', MARGIN, target=False)


def get_config(variant: str = ''):
  tiny = 'tiny' if variant == 'tiny' else ''
  config = random_labels.get_config(tiny)
  confirming.seeded(config, SEEDS, variant)
  config.diagnostics.names = ('dormant_units',)
  config.fork.margin = MARGIN
  config.fork.arms = fire_vs_injection.arms(
    shrink=0.2,
    c_chain=0.01,
    regrama='tau=0.01, every_updates=100',
    target=False,
  )
  return config


def get_sweep(h, variant: str = ''):
  del variant
  return h.sweep('fork.step', [-1])
