"""Does an agent recover that was trained too much on its first data?

SAC on Pendulum: 100 transitions, 100,000 updates on them, then an update a step
(Nikishin et al., "The Primacy Bias in Deep RL", 2022); forked after that. The
arm `old_acts` is reset too, but its data come from the primed policy for half
the time, since a reset changes the data as well. `small` has 10 seeds, `solid`
30; `tiny` is for tests.
"""

from plasticity_rl.analysis.study.claims import Above
from plasticity_rl.analysis.study.claims import Below
from plasticity_rl.analysis.study.claims import Claim
from plasticity_rl.analysis.study.claims import Within
from plasticity_rl.analysis.study.quantities import Contrast
from plasticity_rl.configs import control
from plasticity_rl.configs.studies import confirming

COMMAND = 'diagnose'
PRIMING = 'replay.priming_updates'
SEEDS = {'small': 10, 'solid': 30, 'tiny': 2}
UPDATES = {'small': 100_000, 'solid': 100_000, 'tiny': 20}
MARGIN = 160  # A tenth of the range of returns, about -1600 to 0.


def get_config(variant: str = ''):
  config = control.get_config('pendulum')
  confirming.seeded(config, SEEDS, variant)
  config.replay.min_size = config.agent.random_steps = 100
  config.segment_steps = config.num_steps = 100
  config.evaluation.every_steps = 500
  config.diagnostics.names = ('dormant_units', 'weight_norm')
  config.diagnostics.every_steps = 1000
  config.checkpoint.every_steps = 3000
  config.fork.horizon = 6000
  config.fork.margin = float(MARGIN)
  old = 3000
  if variant == 'tiny':
    config.network.hidden = (8, 8)
    config.evaluation.every_steps = config.fork.horizon = 100
    config.evaluation.episodes = 1
    old = 100
  config.fork.arms = (
    'control',
    'injection',
    'reset=reset(scope="everything")',
    'head_reset=reset(scope="head")',
    f'old_acts=reset(scope="everything", act_with="old", act_steps={old})',
  )
  return config


def get_sweep(h, variant: str = ''):
  return h.sweep(PRIMING, [0, UPDATES[variant]])


def CLAIMS(variant: str):
  primed, unprimed = {PRIMING: UPDATES[variant]}, {PRIMING: 0}
  return (
    Claim(
      name='primacy_bias',
      sentence='SAC that was primed learns worse than SAC that was not.',
      rules=(
        Below(Contrast('control', 'control', at=primed, base_at=unprimed)),
      ),
      doubt='Primed agents that catch up within the horizon.',
    ),
    Claim(
      name='resets_cure_priming',
      sentence='A reset of all networks cures it, though the replay is kept.',
      rules=(Above(Contrast('reset', at=primed)),),
      doubt='A reset network that the same data prime again.',
    ),
    Claim(
      name='injection_does_not',
      sentence=(
        'Injection, which keeps the predictions, does not cure it: what a '
        'reset gains there is not plasticity.'
      ),
      rules=(
        Above(Contrast('reset', 'injection', at=primed)),
        Within(Contrast('injection', at=primed), 2 * MARGIN),
      ),
      doubt='A gain from injection of a size that a reset has.',
    ),
    Claim(
      name='reset_changes_data',
      sentence=(
        'A part of what a reset gains comes from the data of its new policy.'
      ),
      rules=(Above(Contrast('reset', 'old_acts', at=primed)),),
      doubt='A reset network that learns as fast from the old data.',
    ),
  )
