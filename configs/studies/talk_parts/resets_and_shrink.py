"""Injection against resets and shrink-and-perturb: which cure is best?

Continual Catch, forked after twelve tasks; the replay is emptied at the switch,
so that a reset has nothing to relearn. Shrink-and-perturb is the best of nine
settings, found on other seeds. `small` has 20 seeds, `solid` 60; the full one
is ten Atari games. `tiny` is for tests.
"""

from plasticity_rl.analysis.study.claims import Above
from plasticity_rl.analysis.study.claims import Claim
from plasticity_rl.analysis.study.claims import Within
from plasticity_rl.analysis.study.quantities import Contrast
from plasticity_rl.configs.studies import confirming
from plasticity_rl.configs.studies import injection_vs_resets

COMMAND = 'diagnose'
SEEDS = {'small': 20, 'solid': 60}
MARGIN = 0.2  # A tenth of the range of returns.


def get_config(variant: str = ''):
  config = confirming.based_on(injection_vs_resets, SEEDS, variant)
  if variant in SEEDS:
    config.fork.arms = (
      'control',
      'injection',
      'head_reset=reset(scope="head")',
      'reset=reset(scope="everything")',
      'shrink_and_perturb(shrink=0.2, perturb=0.5)',
    )
  return config


def get_sweep(h, variant: str = ''):
  if variant in SEEDS:
    return h.sweep('optimizer.learning_rate', [3e-3])
  return injection_vs_resets.get_sweep(h, variant)


CLAIMS = (
  Claim(
    name='against_resets',
    sentence='With an empty replay, a head reset is as good as an injection.',
    rules=(Within(Contrast('injection', 'head_reset'), MARGIN),),
    doubt='A difference of a tenth of the range of returns either way.',
  ),
  Claim(
    name='against_shrink_and_perturb',
    sentence='Injection gains no less than the best shrink-and-perturb.',
    rules=(Above(Contrast('injection', 'shrink_and_perturb'), -MARGIN),),
    doubt='A setting that gains a tenth of the range of returns more.',
  ),
)
