"""Is a reset better than nothing?"""

from plasticity_rl.analysis.study.claims import Above
from plasticity_rl.analysis.study.claims import Claim
from plasticity_rl.analysis.study.quantities import Contrast
from tests.launch import tiny_study

CLAIMS = (
  Claim(
    name='order',
    sentence='A reset gains.',
    rules=(Above(Contrast('reset', column='eval/return', step=300)),),
  ),
)

get_config = tiny_study.get_config


def get_sweep(h):
  return h.chain(
    h.arm('control'),
    h.arm('reset', {'interventions': ('reset(scope="head", at_steps=25)',)}),
  )
