"""Do resets help the more, the more updates are made a step?

SAC on Pendulum with all networks reset every 2000 steps and the replay kept
(Nikishin et al., "The Primacy Bias in Deep RL", 2022), at one update a step and
at sixteen. `small` has 10 seeds, `solid` 30 and a ratio of 32; `tiny` is for
tests. On suite tasks at full scale: `configs/studies/resets_sac_drq.py`.
"""

from plasticity_rl.analysis.study.claims import Above
from plasticity_rl.analysis.study.claims import Claim
from plasticity_rl.analysis.study.quantities import Contrast
from plasticity_rl.analysis.study.quantities import Difference
from plasticity_rl.configs import control
from plasticity_rl.configs.studies import confirming

SEEDS = {'small': 10, 'solid': 30, 'tiny': 2}
RATIO = 'replay.updates_per_step'


def get_config(variant: str = ''):
  config = control.get_config('pendulum')
  confirming.seeded(config, SEEDS, variant)
  config.num_steps = 8000
  config.segment_steps = 500
  config.evaluation.every_steps = 500
  config.diagnostics.names = ('dormant_units', 'weight_norm')
  config.checkpoint.every_steps = 4000
  if variant == 'tiny':
    config.network.hidden = (8, 8)
    config.segment_steps = config.evaluation.every_steps = 200
    config.num_steps = 400
    config.evaluation.max_steps = 20
    config.replay.min_size = config.agent.random_steps = 50
  return config


def get_sweep(h, variant: str = ''):
  ratios, every = {
    'small': ([1.0, 16.0], 2000),
    'solid': ([1.0, 4.0, 32.0], 2000),
    'tiny': ([1.0, 2.0], 200),
  }[variant]
  resets = f'reset(scope="everything", every_steps={every})'
  return h.product(
    h.sweep(RATIO, ratios),
    h.chain(h.arm('control'), h.arm('resets', {'interventions': (resets,)})),
  )


def CLAIMS(variant: str):
  few = {RATIO: 1.0}
  many = {RATIO: {'small': 16.0, 'solid': 32.0, 'tiny': 2.0}[variant]}
  return (
    Claim(
      name='resets_need_updates',
      sentence='Resets gain more at many updates a step than at one.',
      rules=(
        Above(
          Difference(Contrast('resets', at=many), Contrast('resets', at=few))
        ),
      ),
      doubt='Resets that cost as much at many updates a step as at one.',
    ),
    Claim(
      name='resets_help_at_many_updates',
      sentence='At many updates a step, resets are better than none.',
      rules=(Above(Contrast('resets', at=many)),),
      doubt='A task that SAC learns at many updates a step without resets.',
    ),
  )
