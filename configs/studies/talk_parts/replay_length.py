"""Does a reset suffer where the replay is short, and an injection not?

SAC on Pendulum with a replay of its last 200 steps, or of all; forked at 8000
steps for 2000. `small` has 20 seeds, `solid` 30; `tiny` is for tests.
"""

from plasticity_rl.analysis.study.claims import Below
from plasticity_rl.analysis.study.claims import Claim
from plasticity_rl.analysis.study.claims import Within
from plasticity_rl.analysis.study.quantities import Contrast
from plasticity_rl.analysis.study.quantities import Difference
from plasticity_rl.configs import control
from plasticity_rl.configs.studies import confirming

COMMAND = 'diagnose'
SEEDS = {'small': 20, 'solid': 30, 'tiny': 2}
MARGIN = 160  # A tenth of the range of returns, about -1600 to 0.
CAPACITY = 'replay.capacity'
SHORT, LONG = {CAPACITY: 200}, {CAPACITY: 10_000}


def get_config(variant: str = ''):
  config = control.get_config('pendulum')
  confirming.seeded(config, SEEDS, variant)
  config.replay.min_size = config.agent.random_steps = 200
  config.segment_steps = config.evaluation.every_steps = 200
  config.num_steps = 8000
  config.diagnostics.names = ('dormant_units',)
  config.checkpoint.every_steps = 4000
  config.fork.horizon = 2000
  config.fork.margin = float(MARGIN)
  config.fork.arms = (
    'control',
    'injection',
    'reset=reset(scope="everything")',
  )
  if variant == 'tiny':
    confirming.make_tiny(config)
  return config


def get_sweep(h):
  return h.sweep(CAPACITY, [SHORT[CAPACITY], LONG[CAPACITY]])


CLAIMS = (
  Claim(
    name='reset_learns_less_from_a_short_replay',
    sentence='After a reset less is learned with a short replay.',
    rules=(Below(Contrast('reset', 'reset', at=SHORT, base_at=LONG)),),
    doubt='A reset agent that learns as fast from its last 200 steps.',
  ),
  Claim(
    name='reset_loses_more_with_a_short_replay',
    sentence='A reset loses more, too, than it does with a long replay.',
    rules=(
      Below(
        Difference(Contrast('reset', at=SHORT), Contrast('reset', at=LONG))
      ),
    ),
    doubt='A control that a short replay harms as much.',
  ),
  Claim(
    name='injection_needs_no_replay',
    sentence='An injection loses nothing, however short the replay is.',
    rules=(
      Within(Contrast('injection', at=SHORT), MARGIN),
      Within(Contrast('injection', at=LONG), MARGIN),
    ),
    doubt='A loss after the injection.',
  ),
)


def figure(study):
  from plasticity_rl.analysis.pages import study_figures

  return study_figures.along_axis(study, CAPACITY)
