"""Does SAC learn faster with SimBa's networks?

Lee et al., "SimBa", 2025, published runs of ten seeds (SonyResearch/simba,
`results/`): an action repeat of 2, two updates a decision, evaluations of ten
episodes. Their SAC has 179 +- 17 and 329 +- 14 on cheetah-run after 50,000 and
100,000 frames, 98 and 261 on walker-run. (We were given these numbers, and
could read of the repository its configs, but not the rows of these tasks.)

Ours is that protocol: 50,000 decisions are their 100,000 frames and 100,000
updates, the first 5000 decisions random, a discount of .99. SAC has two layers
of 256, Adam at 3e-4 and a temperature that begins at 1, as `sac_dmc` has; SimBa
normalised observations, two blocks of 512, AdamW at 1e-4 with decay 1e-2 and a
temperature from 0.01. Deviations: theirs has one critic and a smaller actor
(one block of 128), ours two critics, and an actor as wide.

Full: two tasks and ten seeds; an update of these networks is 30 GFLOP, so that
a run takes hours of two cores. `small`: one block of 128, which costs what SAC
does, five seeds and half the steps. `tiny`, on the device, is for tests.
"""

from plasticity_rl.analysis.study.claims import Above
from plasticity_rl.analysis.study.claims import Claim
from plasticity_rl.analysis.study.quantities import Contrast
from plasticity_rl.configs import control
from plasticity_rl.configs import sac_dmc

TASKS = ('dmc_cheetah_run', 'dmc_walker_run')
TINY_TASKS = ('pendulum', 'cartpole_swingup')
FIRST_SEED = 1000
# What makes SimBa of it, by variant: width and blocks.
SIZES = {'': (512, 2), 'small': (128, 1), 'tiny': (8, 1)}


def get_config(variant: str = ''):
  if variant not in SIZES:
    raise ValueError(f'unknown variant {variant!r}; valid: small, tiny')
  if variant == 'tiny':
    config = control.get_config('pendulum')
    config.num_seeds = 2
    config.num_steps = config.segment_steps = 100
    config.replay.min_size = config.agent.random_steps = 50
    config.evaluation.every_steps = config.diagnostics.every_steps = 100
    config.evaluation.episodes = 1
    config.evaluation.max_steps = 20
    config.network.hidden = (8, 8)
  else:
    config = sac_dmc.get_config('rr2')
    config.environment.action_repeat = 2
    config.num_steps = 25_000 if variant == 'small' else 50_000
    config.num_seeds = 5 if variant == 'small' else 1
    config.replay.min_size = config.agent.random_steps = 5000
    config.replay.capacity = 100_000
    config.evaluation.every_steps = 2500
  config.diagnostics.names = ('dormant_units', 'weight_norm')
  config.seed = FIRST_SEED
  return config


def get_sweep(h, variant: str = ''):
  width, blocks = SIZES[variant]
  simba = {
    'environment.normalize_observations': True,
    'network.hidden': (width,),
    'network.residual_blocks': blocks,
    'network.split': -2,
    'optimizer.name': 'adamw',
    'optimizer.weight_decay': 1e-2,
    'optimizer.learning_rate': 1e-4,
    'agent.initial_temperature': 0.01,
  }
  tasks = TINY_TASKS if variant == 'tiny' else TASKS
  seeds = [] if variant else [FIRST_SEED + i for i in range(10)]
  return h.product(
    h.sweep('environment.name', list(tasks)),
    *([h.sweep('seed', seeds)] if seeds else []),
    h.chain(h.arm('SAC'), h.arm('SimBa', simba)),
  )


def CLAIMS(variant: str):
  return tuple(
    Claim(
      name=f'simba_{task.removeprefix("dmc_")}',
      sentence=f'SAC learns faster with SimBa on {task.removeprefix("dmc_")}.',
      rules=(Above(Contrast('SimBa', 'SAC', at={'environment.name': task})),),
      doubt='No gain at the end of this many frames.',
    )
    for task in (TINY_TASKS if variant == 'tiny' else TASKS)
  )


def figure(study):
  from plasticity_rl.analysis.pages import study_figures

  return study_figures.by_compute(study)
