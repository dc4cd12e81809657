"""A flat line at the top: does injection leave alone what has learned its task?

SAC on Pendulum, forked once it swings up. `small` has 20 seeds, `solid` 60;
`tiny` is for tests.
"""

from plasticity_rl.analysis.study.claims import Above
from plasticity_rl.analysis.study.claims import Claim
from plasticity_rl.analysis.study.claims import Within
from plasticity_rl.analysis.study.quantities import Contrast
from plasticity_rl.analysis.study.quantities import Level
from plasticity_rl.configs import control

COMMAND = 'diagnose'
SEEDS = {'small': 20, 'solid': 60, 'tiny': 2}
MARGIN = 50  # Untrained it is at about -1200, and at best at about -150.
LEARNED = -250


def get_config(variant: str = ''):
  if variant not in SEEDS:
    raise ValueError(f'unknown variant {variant!r}; valid: {", ".join(SEEDS)}')
  config = control.get_config('pendulum')
  config.seed = 1000  # Settings were explored on seeds below 100.
  config.num_seeds = SEEDS[variant]
  config.num_steps, config.fork.horizon = 8000, 4000
  config.diagnostics.names = ('dormant_units',)
  config.checkpoint.every_steps = 4000
  config.fork.arms = ('control', 'injection')
  if variant == 'tiny':
    config.network.hidden = (8, 8)
    config.segment_steps = config.num_steps = config.fork.horizon = 200
    config.evaluation.every_steps = 200
    config.evaluation.max_steps = 20
    config.replay.min_size = 50
  return config


def get_sweep(h):
  return h.sweep('optimizer.learning_rate', [1e-3])


CLAIMS = (
  Claim(
    name='learned',
    sentence='What has learned its task is left alone by an injection.',
    rules=(
      Within(Contrast('injection'), MARGIN),
      Above(Level('control'), LEARNED),
    ),
    doubt='A learned task whose returns an injection moves by the margin.',
  ),
)


def figure(study):
  from plasticity_rl.analysis.pages import study_figures

  return study_figures.arms(study)
