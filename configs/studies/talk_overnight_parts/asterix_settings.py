"""Why does an injection lift Asterix where a reset of the head does not?

As `lost_asterix`, on other seeds: is the loss there at a lower learning rate,
with layer norm, and with rewards scaled so that no return is beyond 1? And with
the same worn network: is it at the learning rate that a reset head fails?
`small` has 10 seeds, `solid` 30; `tiny` is for tests.
"""

from plasticity_rl.analysis.study.claims import Above
from plasticity_rl.analysis.study.claims import Below
from plasticity_rl.analysis.study.claims import Claim
from plasticity_rl.analysis.study.quantities import Contrast
from plasticity_rl.analysis.study.quantities import Difference
from plasticity_rl.analysis.study.quantities import Level
from plasticity_rl.configs.studies.talk_parts import lost_asterix

COMMAND = 'diagnose'
SEEDS = lost_asterix.SEEDS
RATE, NORM = 'optimizer.learning_rate', 'network.layer_norm'
SCALE = 'environment.scale_rewards'
PLAIN = {RATE: 1e-3, NORM: False, SCALE: 0.0}
SLOW = {**PLAIN, RATE: 2.5e-4}
NORMED = {**PLAIN, NORM: True}
SCALED = {**PLAIN, SCALE: 1.0}


def get_config(variant: str = ''):
  config = lost_asterix.get_config(variant)
  config.seed = 2000  # Others than of `lost_asterix`.
  if variant != 'tiny':
    config.num_steps = 200_000
  slower = f'settings={{"{RATE}": {SLOW[RATE]}}}'
  config.fork.arms = (
    'control',
    'injection',
    'head_reset=reset(scope="head")',
    f'head_reset_slow=reset(scope="head", {slower})',
  )
  return config


def get_sweep(h):
  places = (PLAIN, SLOW, NORMED, SCALED)
  return h.chain(
    *(
      h.product(*(h.sweep(key, [value]) for key, value in place.items()))
      for place in places
    )
  )


def _dead(at):
  return Level('control', at, column=lost_asterix.DEAD, step='fork')


CLAIMS = (
  Claim(
    name='lost_at_a_low_rate',
    sentence='Asterix is lost at a learning rate of 2.5e-4 as well.',
    rules=(Above(Contrast('injection', at=SLOW)),),
    doubt='A head that is alive, or an injection that gains nothing.',
  ),
  Claim(
    name='layer_norm_prevents',
    sentence=(
      'With layer norm most units of the head live, and the agent learns more.'
    ),
    rules=(
      Below(_dead(NORMED), 0.5),
      Above(Contrast('control', 'control', at=NORMED, base_at=PLAIN)),
    ),
    doubt='A head that dies in spite of layer norm.',
  ),
  Claim(
    name='scaled_rewards_do_not',
    sentence='With scaled rewards the head dies all the same.',
    rules=(Above(_dead(SCALED), 0.5),),
    doubt='A head that lives where values are small.',
  ),
  Claim(
    name='head_reset_fails_when_scaled',
    sentence=(
      'With scaled rewards, too, a reset of the head gains less than an '
      'injection.'
    ),
    rules=(Above(Contrast('injection', 'head_reset', at=SCALED)),),
    doubt='A reset that gains as much where no value is large.',
  ),
  Claim(
    name='it_is_the_rate',
    sentence='A reset of the head gains more if it learns more slowly.',
    rules=(Above(Contrast('head_reset_slow', 'head_reset', at=PLAIN)),),
    doubt='A reset head that dies at the lower learning rate, too.',
  ),
  Claim(
    name='gain_grows_with_the_rate',
    sentence='On this stationary task, too, injection gains more at 1e-3.',
    rules=(
      Above(
        Difference(
          Contrast('injection', at=PLAIN), Contrast('injection', at=SLOW)
        )
      ),
    ),
    doubt='A gain that is as large at the lower learning rate.',
  ),
)
