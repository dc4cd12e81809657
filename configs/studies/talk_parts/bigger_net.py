"""Is it the size that helps, and does injecting late save compute?

Continual Catch, ten tasks: an injection after nine, one that waits for dead
units in the head, and networks that have the injected one's parameters from the
start. `small` has 20 seeds, `solid` 60; the full one is six Atari games.
`tiny` is for tests.
"""

from plasticity_rl.analysis.study.claims import Above
from plasticity_rl.analysis.study.claims import Below
from plasticity_rl.analysis.study.claims import Claim
from plasticity_rl.analysis.study.quantities import Contrast
from plasticity_rl.configs.studies import confirming
from plasticity_rl.configs.studies import injection_vs_bigger_net

SEEDS = {'small': 20, 'solid': 60}
BIGGER = 'bigger head'


def get_config(variant: str = ''):
  config = confirming.based_on(injection_vs_bigger_net, SEEDS, variant)
  config.diagnostics.names = ('dormant_units',)
  if variant in SEEDS:
    config.diagnostics.every_steps = 500  # For the criterion.
  return config


def get_sweep(h, variant: str = ''):
  arms = injection_vs_bigger_net.get_sweep(
    h, 'small' if variant in SEEDS else variant
  )
  adaptive = 'injection(when="plasticity/q/dormant_units/head > 0.5")'
  adaptive = h.arm(
    'adaptive', {'interventions': (adaptive,), 'network.slots': 1}
  )
  return h.chain(arms, adaptive) if variant else arms


CLAIMS = (
  Claim(
    name='not_the_size',
    sentence=(
      'Injection learns the last task better than a network that has its '
      'parameters from the start.'
    ),
    rules=(
      Above(Contrast('injection', BIGGER)),
      Above(Contrast('injection', 'bigger')),
    ),
    doubt='A bigger network that has lost nothing by the last task.',
  ),
  Claim(
    name='saves_compute',
    sentence=(
      'Injecting when dead units tell takes less compute than the bigger '
      'network, and learns the last task no worse.'
    ),
    rules=(
      Below(Contrast('adaptive', 'bigger', percent=True, column='flops'), -10),
      Above(Contrast('adaptive', 'bigger'), -0.2),
    ),
    doubt='A criterion that is met in the first task, or never.',
  ),
)


def figure(study):
  from plasticity_rl.analysis.pages import study_figures

  return study_figures.by_compute(study)
