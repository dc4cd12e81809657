"""How does primacy bias depend on the number of updates on the first data?

As `priming`, on other seeds: SAC on Pendulum, with 0 to 100,000 updates on its
first 100 transitions. `small` has 10 seeds, `solid` 30; `tiny` is for tests.
"""

from plasticity_rl.analysis.study.claims import Above
from plasticity_rl.analysis.study.claims import Below
from plasticity_rl.analysis.study.claims import Claim
from plasticity_rl.analysis.study.quantities import Contrast
from plasticity_rl.analysis.study.quantities import Level
from plasticity_rl.analysis.study.quantities import Trend
from plasticity_rl.configs.studies.talk_parts import priming

COMMAND = 'diagnose'


def get_config(variant: str = ''):
  config = priming.get_config(variant)
  config.seed = 2000  # Others than of `priming`.
  config.fork.arms = ('control', 'reset=reset(scope="everything")')
  return config


def get_sweep(h, variant: str = ''):
  amounts = [0, 10, 20] if variant == 'tiny' else [0, 1000, 10_000, 100_000]
  return h.sweep(priming.PRIMING, amounts)


CLAIMS = (
  Claim(
    name='more_priming_less_learning',
    sentence='The more updates on the first data, the less is learned later.',
    rules=(Below(Trend(Level('control'), priming.PRIMING)),),
    doubt='An agent that 100,000 updates harm no more than 1000.',
  ),
  Claim(
    name='resets_gain_more_after_more',
    sentence='The more updates there were, the more a reset of all gains.',
    rules=(Above(Trend(Contrast('reset'), priming.PRIMING)),),
    doubt='A reset that gains as much without priming.',
  ),
)


def figure(study):
  from plasticity_rl.analysis.pages import study_figures

  return study_figures.along_axis(study, priming.PRIMING)
