"""DrQ on the DeepMind Control Suite, from pixels.

The protocol of the published curves of "The Primacy Bias in Deep Reinforcement
Learning" (Nikishin et al., 2022), whose code is jaxrl's. Variants, joined by
commas: a task (`cheetah_run` by default), `resets` (all but the shared
encoder, ten times in a run), `paper` (Kostrikov et al.'s own: pictures of 84
pixels, four convolutions of 32 filters, two shifts of each picture), `small`
(for a CPU: a batch of 64, smaller pictures).
"""

from plasticity_rl import settings
from plasticity_rl.environments import host_registry
from plasticity_rl.settings import variants

OTHERS = ('resets', 'paper', 'small')
# Frames that the published runs of a task have; 2M where none are given.
FRAMES = dict.fromkeys(
  (
    'cartpole_balance',
    'cartpole_balance_sparse',
    'cartpole_swingup',
    'finger_spin',
    'walker_stand',
    'walker_walk',
  ),
  500_000,
) | dict.fromkeys(('hopper_stand', 'pendulum_swingup'), 1_000_000)


def get_config(variant: str = ''):
  task, words = variants.parse(
    variant,
    host_registry.SUITE_TASKS,
    OTHERS,
    default='cheetah_run',
    kind='any task of the suite',
  )
  config = settings.default_config('drq', f'dmc_pixels_{task}')
  frames = FRAMES.get(task, 2_000_000)
  config.num_steps = frames // config.environment.action_repeat
  config.segment_steps = 500
  config.environment.size = 64

  config.network.convolutions = (
    (32, 3, 2),
    (64, 3, 2),
    (128, 3, 2),
    (256, 3, 2),
  )
  config.network.hidden = (256, 256)
  config.network.split = 4
  config.network.initializer = 'orthogonal'
  config.optimizer.learning_rate = 3e-4

  config.replay.capacity = 100_000
  config.replay.min_size = 1000
  config.replay.batch_size = 512

  config.evaluation.every_steps = 5000
  config.evaluation.episodes = 10
  config.diagnostics.every_steps = 10_000
  config.diagnostics.probe_size = 64
  config.checkpoint.every_steps = 25_000
  config.fork.horizon = 50_000

  if 'paper' in words:
    config.environment.size = 84
    config.network.convolutions = (
      (32, 3, 2),
      (32, 3, 1),
      (32, 3, 1),
      (32, 3, 1),
    )
    config.agent.target_augmentations = 2
    config.agent.value_augmentations = 2
  if 'small' in words:
    config.num_steps = 10_000
    config.environment.size = 40
    config.network.convolutions = ((16, 3, 2), (32, 3, 2))
    config.network.split = 2
    config.replay.capacity = 20_000
    config.replay.batch_size = 64
    config.evaluation.every_steps = 1000
    config.evaluation.episodes = 3
    config.diagnostics.every_steps = 5000
    config.checkpoint.every_steps = 5000
    config.fork.horizon = 5000
  if 'resets' in words:  # Of whatever length the run has by now.
    every = config.num_steps // 10
    config.interventions = (
      f'reset(scope="all_but_encoder", every_steps={every})',
    )
  return config
