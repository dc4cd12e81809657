"""Is SAC's flat line on quadruped-run lost plasticity?

By the protocol of `simba_vs_sac` (an action repeat of 2, two updates a
decision) SAC's returns are published as 89 to 117 from 50,000 to 500,000
frames, where networks with residual blocks and layer norm reach 884. Forked at
50,000 frames for 30,000; and with layer norm from the start. `small` has 5
seeds, `solid` 10 and forks at 100,000; `tiny`, on the device, is for tests.
"""

from plasticity_rl.analysis.study.claims import Above
from plasticity_rl.analysis.study.claims import Claim
from plasticity_rl.analysis.study.claims import Within
from plasticity_rl.analysis.study.quantities import Contrast
from plasticity_rl.configs.studies import confirming
from plasticity_rl.configs.studies import simba_vs_sac

COMMAND = 'diagnose'
SEEDS = {'small': 5, 'solid': 10, 'tiny': 2}
NORM = 'network.layer_norm'
PLAIN, NORMED = {NORM: False}, {NORM: True}
MARGIN = 50  # Half of what SAC has, a twentieth of the range of returns.


def get_config(variant: str = ''):
  base = 'tiny' if variant == 'tiny' else 'small'
  config = confirming.seeded(simba_vs_sac.get_config(base), SEEDS, variant)
  config.fork.horizon = 15_000
  config.fork.margin = float(MARGIN)
  config.fork.arms = (
    'control',
    'injection',
    'reset=reset(scope="everything")',
  )
  if variant == 'tiny':
    confirming.make_tiny(config)
  else:
    config.environment.name = 'dmc_quadruped_run'
    config.num_steps = 50_000 if variant == 'solid' else 25_000
    config.checkpoint.every_steps = 5000
  return config


def get_sweep(h):
  return h.sweep(NORM, [False, True])


CLAIMS = (
  Claim(
    name='quadruped_not_lost',
    sentence='The flat line of SAC on quadruped-run is not lost plasticity.',
    rules=(Within(Contrast('injection', at=PLAIN), MARGIN),),
    doubt='An injection that lifts it.',
  ),
  Claim(
    name='quadruped_reset',
    sentence='A reset of all networks does not lift it, either.',
    rules=(Within(Contrast('reset', at=PLAIN), MARGIN),),
    doubt='A gain or a loss from a reset.',
  ),
  Claim(
    name='quadruped_layer_norm',
    sentence='With layer norm from the start it is not flat.',
    rules=(Above(Contrast('control', 'control', at=NORMED, base_at=PLAIN)),),
    doubt='A line as flat with layer norm.',
  ),
)
