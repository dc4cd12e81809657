"""Which part of an injection is it that helps?

Continual Catch, ten tasks, injected after nine. `small` has 20 seeds, `solid`
60; the full one is four Atari games. `tiny` is for tests.
"""

from plasticity_rl.analysis.study.claims import Above
from plasticity_rl.analysis.study.claims import Claim
from plasticity_rl.analysis.study.claims import Within
from plasticity_rl.analysis.study.quantities import Contrast
from plasticity_rl.configs.studies import ablations
from plasticity_rl.configs.studies import confirming

SEEDS = {'small': 20, 'solid': 60}
MARGIN = 0.2  # A tenth of the range of returns.


def get_config(variant: str = ''):
  return confirming.based_on(ablations, SEEDS, variant)


def get_sweep(h, variant: str = ''):
  return ablations.get_sweep(h, 'small' if variant in SEEDS else variant)


CLAIMS = (
  Claim(
    name='injection_restores',
    sentence='Injection restores learning.',
    rules=(Above(Contrast('injection'), MARGIN),),
    doubt='A gain below a tenth of the range of returns.',
  ),
  Claim(
    name='weights_not_optimizer',
    sentence='A reset of the optimizer alone gains nothing.',
    rules=(Within(Contrast('optimizer alone'), MARGIN),),
    doubt='A gain from fresh moments and counts alone.',
  ),
  Claim(
    name='shared_encoder',
    sentence='A fresh encoder as well gains nothing more.',
    rules=(Within(Contrast('no shared encoder', 'injection'), MARGIN),),
    doubt='An encoder that has lost its plasticity.',
  ),
  Claim(
    name='frozen_original',
    sentence='Freezing the original head matters.',
    rules=(Above(Contrast('injection', 'unfrozen')),),
    doubt='An unfrozen original head that does as well.',
  ),
  Claim(
    name='third_term',
    sentence='Without the third term injection helps as much by the end.',
    rules=(Within(Contrast('no third term', 'injection'), MARGIN),),
    doubt='Predictions that jump, and whose jump is not forgotten in a task.',
  ),
  Claim(
    name='several_injections',
    sentence='An injection before, after five tasks, changes nothing.',
    rules=(Within(Contrast('iterated', 'injection'), MARGIN),),
    doubt='Heads that add up to something that learns more slowly.',
  ),
  Claim(
    name='adaptive',
    sentence='An injection that waits for dead units does as well.',
    rules=(Above(Contrast('adaptive', 'injection'), -MARGIN),),
    doubt='A criterion that is met too early or too late.',
  ),
)
