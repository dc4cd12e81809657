"""Does SAC recover on a suite task that it learns if it was not primed?

As `priming`, on cheetah-run by the protocol of `simba_vs_sac` (an action repeat
of 2, two updates a decision), by which SAC learns within 50,000 frames. `small`
has 5 seeds and 50,000 frames, `solid` 10 and 100,000; `tiny`, on the device, is
for tests.
"""

from plasticity_rl.analysis.study.claims import Above
from plasticity_rl.analysis.study.claims import Below
from plasticity_rl.analysis.study.claims import Claim
from plasticity_rl.analysis.study.quantities import Contrast
from plasticity_rl.configs.studies import confirming
from plasticity_rl.configs.studies import simba_vs_sac

PRIMING = 'replay.priming_updates'
SEEDS = {'small': 5, 'solid': 10, 'tiny': 2}
UPDATES = {'small': 100_000, 'solid': 100_000, 'tiny': 20}


def get_config(variant: str = ''):
  base = 'tiny' if variant == 'tiny' else 'small'
  config = simba_vs_sac.get_config(base)
  # Not those for which SAC's returns are known.
  confirming.seeded(config, SEEDS, variant, first=2000)
  if variant == 'solid':
    config.num_steps = 50_000
  config.replay.min_size = config.agent.random_steps = 100
  config.segment_steps = 100
  if variant != 'tiny':
    config.environment.name = 'dmc_cheetah_run'
  else:
    config.num_steps = 400
  return config


def get_sweep(h, variant: str = ''):
  primed = {PRIMING: UPDATES[variant]}
  reset = 'reset(scope="everything", at_steps=200)'
  return h.chain(
    h.arm('control', {PRIMING: 0}),
    h.arm('primed', primed),
    h.arm('primed, reset', {**primed, 'interventions': (reset,)}),
  )


CLAIMS = (
  Claim(
    name='primacy_bias_cheetah',
    sentence='SAC that was primed learns cheetah-run worse.',
    rules=(Below(Contrast('primed')),),
    doubt='Primed agents that catch up within 50,000 frames.',
  ),
  Claim(
    name='reset_cures_cheetah',
    sentence='A reset of all networks cures it, though the replay is kept.',
    rules=(Above(Contrast('primed, reset', 'primed')),),
    doubt='Primed agents that recover by themselves.',
  ),
)
