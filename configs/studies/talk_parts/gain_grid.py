"""Where does injection gain most: learning rate, replay ratio, width?

Continual Catch, forked after eight tasks. `small` has 10 seeds; `solid` 30 and
a larger grid; the full one is two Atari games. `tiny` is for tests.
"""

from plasticity_rl.analysis.study.claims import Above
from plasticity_rl.analysis.study.claims import Below
from plasticity_rl.analysis.study.claims import Claim
from plasticity_rl.analysis.study.quantities import Contrast
from plasticity_rl.analysis.study.quantities import Trend
from plasticity_rl.configs.studies import confirming
from plasticity_rl.configs.studies import replay_ratio_lr_width

COMMAND = 'diagnose'
SEEDS = {'small': 10, 'solid': 30}
RATE, RATIO = 'optimizer.learning_rate', 'replay.updates_per_step'
WIDTH = 'network.hidden'


def get_config(variant: str = ''):
  return confirming.based_on(replay_ratio_lr_width, SEEDS, variant)


def get_sweep(h, variant: str = ''):
  if variant == 'small':
    return h.product(
      h.sweep(RATIO, [0.5, 2.0]),
      h.sweep(RATE, [3e-4, 1e-3, 3e-3]),
      h.sweep(WIDTH, [(32, 32), (128, 128)]),
    )
  if variant == 'solid':
    return h.product(
      h.sweep(RATIO, [0.5, 1.0, 2.0]),
      h.sweep(RATE, [3e-4, 1e-3, 3e-3]),
      h.sweep(WIDTH, [(32, 32), (64, 64), (128, 128)]),
    )
  if variant == 'tiny':
    return h.product(
      h.sweep(RATIO, [0.5, 1.0]),
      h.sweep(RATE, [1e-3, 3e-3]),
      h.sweep(WIDTH, [(8, 8), (16, 16)]),
    )
  return replay_ratio_lr_width.get_sweep(h)


CLAIMS = (
  Claim(
    name='gain_by_learning_rate',
    sentence='Injection gains more, the larger the learning rate.',
    rules=(Above(Trend(Contrast('injection'), RATE)),),
    doubt=(
      'A gain that does not grow with the learning rate, here or on a '
      'stationary task, at rates at which the agent learns the first task.'
    ),
  ),
  Claim(
    name='gain_by_replay_ratio',
    sentence='Injection gains more, the more updates are made a step.',
    rules=(Above(Trend(Contrast('injection'), RATIO)),),
    doubt='A gain at many updates a step that is no larger than at few.',
  ),
  Claim(
    name='gain_by_width',
    sentence='Injection gains less, the wider the network.',
    rules=(Below(Trend(Contrast('injection'), WIDTH)),),
    doubt='A wide network that gains as much as a narrow one.',
  ),
)


def figure(study):
  from plasticity_rl.analysis.pages import study_figures

  return study_figures.grid(study, RATE, RATIO, WIDTH)
