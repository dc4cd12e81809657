"""FIRE or injection on SAC that was primed: what helps critics and actor?

SAC on Pendulum: 100 transitions, 100,000 updates on them, then an update a step
(Nikishin et al., "The Primacy Bias in Deep RL", 2022); forked after that. Every
method acts on critics and actor. What an injection keeps, the values of the
primed critics, is here a part of what is wrong: resets cured it on other seeds
(`talk_parts/priming.py`), injections did not. `small` has 10 seeds, `solid` 30;
`tiny` is for tests.
"""

from plasticity_rl.configs.studies import confirming
from plasticity_rl.configs.studies import fire_vs_injection
from plasticity_rl.configs.studies.talk_parts import priming

COMMAND = 'diagnose'
SEEDS = {'small': 10, 'solid': 30, 'tiny': 2}
MARGIN = priming.MARGIN  # A tenth of the range of returns.
CLAIMS = fire_vs_injection.claims('sac', MARGIN, lost=False)


def get_config(variant: str = ''):
  config = priming.get_config(variant)
  confirming.seeded(config, SEEDS, variant)
  config.replay.priming_updates = priming.UPDATES[variant]
  config.diagnostics.names = ('dormant_units',)
  config.fork.arms = fire_vs_injection.arms(
    shrink=0.5, c_chain=0.01, regrama='tau=0.01, every_updates=500'
  )
  return config


def get_sweep(h, variant: str = ''):
  del variant
  return h.sweep('fork.step', [-1])
