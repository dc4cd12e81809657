"""SAC on the DeepMind Control Suite, from state.

The protocol of the published curves of "The Primacy Bias in Deep Reinforcement
Learning" (Nikishin et al., 2022), whose code is jaxrl's. Variants, joined by
commas: a task (`cheetah_run` by default, any of the suite), `resets` (all
networks, targets and optimizers every 200k steps, the replay kept; the paper's
SAC), `sr` (scaled by resets: every 2.56M updates instead), `rr2` to `rr32` for
so many updates a step, `primed` for 100k updates on the first 100 transitions,
`simba` for the networks, optimizer and temperature of SimBa (Lee et al., 2025),
who make two updates a step (`rr2`) and have one critic and a smaller actor,
`simbav2` for those of SimBaV2, its distributional critics and scaled rewards.
"""

from plasticity_rl import settings
from plasticity_rl.environments import host_registry
from plasticity_rl.settings import variants

RATIOS = ('rr2', 'rr4', 'rr8', 'rr16', 'rr32')
OTHERS = ('resets', 'sr', 'primed', 'simba', 'simbav2', *RATIOS)


def get_config(variant: str = ''):
  task, words = variants.parse(
    variant,
    host_registry.SUITE_TASKS,
    OTHERS,
    default='cheetah_run',
    kind='any task of the suite',
  )
  ratios = [int(word[2:]) for word in words if word in RATIOS]
  ratio = ratios[-1] if ratios else 1
  config = settings.default_config('sac', f'dmc_{task}')
  config.num_steps = 1_000_000
  config.segment_steps = 1000
  # Stepping takes a hundredth of an update: nothing is won by overlapping.
  config.environment.overlap = False

  config.network.hidden = (256, 256)
  config.network.split = 1
  config.network.initializer = 'orthogonal'
  config.optimizer.learning_rate = 3e-4

  config.replay.capacity = 1_000_000
  config.replay.min_size = 10_000
  config.replay.batch_size = 256
  config.replay.updates_per_step = float(ratio)

  config.evaluation.every_steps = 5000
  config.evaluation.episodes = 10
  config.diagnostics.every_steps = 10_000
  config.checkpoint.every_steps = 50_000
  config.fork.horizon = 100_000

  if 'simba' in words:
    config.environment.normalize_observations = True
    config.network.hidden = (512,)
    config.network.residual_blocks = 2
    config.network.split = -2
    config.optimizer.name = 'adamw'
    config.optimizer.weight_decay = 1e-2
    config.optimizer.learning_rate = 1e-4
    config.agent.initial_temperature = 0.01
  if 'simbav2' in words:
    config.environment.normalize_observations = True
    config.environment.scale_rewards = config.agent.v_max
    config.network.hidden = (512,)
    config.network.residual_blocks = 2
    config.network.hyperspherical = True
    config.network.split = -3
    config.optimizer.learning_rate = 1e-4
    config.agent.bins = 101
    config.agent.initial_temperature = 0.01
  if 'resets' in words:
    config.interventions = ('reset(scope="everything", every_steps=200_000)',)
  if 'sr' in words:
    config.interventions = (
      'reset(scope="everything", every_updates=2_560_000)',
    )
  if 'primed' in words:
    config.agent.random_steps = 100
    config.replay.min_size = 100
    config.replay.priming_updates = 100_000
    config.segment_steps = 100
    config.num_steps = 100
    config.evaluation.every_steps = 5000
    config.diagnostics.every_steps = 5000
    config.checkpoint.every_steps = 10_000
    config.fork.horizon = 100_000
    config.fork.arms = (
      'control',
      'injection',
      'reset(scope="everything")',
    )
  return config
