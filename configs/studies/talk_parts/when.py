"""When does an injection help: how early, how late?

Continual Catch, forked after 1 to 12 tasks of one prefix. `small` has 10 seeds,
`solid` 30; the full one is four Atari games. `tiny` is for tests.
"""

from plasticity_rl.analysis.study.claims import Above
from plasticity_rl.analysis.study.claims import Claim
from plasticity_rl.analysis.study.claims import Within
from plasticity_rl.analysis.study.quantities import Contrast
from plasticity_rl.analysis.study.quantities import Trend
from plasticity_rl.configs import continual_catch
from plasticity_rl.configs.studies import confirming
from plasticity_rl.configs.studies import when_to_inject

COMMAND = 'diagnose'
SEEDS = {'small': 10, 'solid': 30}
STEP = 'fork.step'


def get_config(variant: str = ''):
  return confirming.based_on(when_to_inject, SEEDS, variant)


def get_sweep(h, variant: str = ''):
  if variant in SEEDS:
    tasks = (1, 4, 8, 12)
    return h.sweep(STEP, [continual_catch.TASK_STEPS * task for task in tasks])
  return when_to_inject.get_sweep(h, variant)


def CLAIMS(variant: str):
  first = {STEP: 100 if variant == 'tiny' else continual_catch.TASK_STEPS}
  return (
    Claim(
      name='later_gains_more',
      sentence='The longer the network has trained, the more injection gains.',
      rules=(Above(Trend(Contrast('injection'), STEP)),),
      doubt='A gain that is there from the first task on.',
    ),
    Claim(
      name='plastic_gains_nothing',
      sentence='A network that is still plastic gains nothing.',
      rules=(Within(Contrast('injection', at=first), 0.2),),
      doubt='A gain, or a loss, after one task.',
    ),
  )


def figure(study):
  from plasticity_rl.analysis.pages import study_figures

  return study_figures.along_axis(study, STEP)
