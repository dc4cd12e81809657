"""Double DQN on Atari, by the protocol of DQN Zoo.

200M frames are 50M steps at four frames each. Deviations: each action has a
bias of its own (in DQN Zoo's Double DQN they share one), an evaluation is of
eight episodes (there: of 500k frames), and those of `environments/atari.py`.

Variants, joined by commas: a game (`pong` by default, any of the 57), `plain`
(DQN, all else as here), `sticky` (sticky actions of probability 0.25), `adam`,
`injection` (at 50M frames), `bigger` (from the start as many parameters as
after one injection), `replay_4m` (four million transitions, compressed),
`short` (100k steps, some two hours on a CPU, in the data-efficient manner of
van Hasselt, Hessel and Aslanides, "When to use parametric models in
reinforcement learning?", 2019: an update a step, returns of ten steps, Adam).
"""

from plasticity_rl import settings
from plasticity_rl.environments import atari_games
from plasticity_rl.settings import variants

FRAMES_PER_STEP = 4
OTHERS = (
  'plain',
  'sticky',
  'adam',
  'injection',
  'bigger',
  'replay_4m',
  'short',
)


def get_config(variant: str = ''):
  game, words = variants.parse(
    variant,
    atari_games.SCORES,
    OTHERS,
    default='pong',
    kind='any of the 57 games',
  )
  config = settings.default_config('dqn', f'atari_{game}')
  config.num_steps = 200_000_000 // FRAMES_PER_STEP
  config.segment_steps = 1000

  config.network.convolutions = ((32, 8, 4), (64, 4, 2), (64, 3, 1))
  config.network.hidden = (512,)
  config.network.split = -2
  config.network.initializer = 'uniform'
  config.optimizer.name = 'rmsprop_centered'
  config.optimizer.learning_rate = 2.5e-4
  config.optimizer.decay = 0.95
  config.optimizer.eps = 0.01 / 32**2
  config.agent.double = 'plain' not in words
  config.agent.loss = 'huber'  # DQN Zoo clips the gradient of the error to 1.
  config.agent.epsilon_begin = 1.0
  config.agent.epsilon_end = 0.01
  # From when updates begin, as there.
  config.agent.epsilon_hold_steps = 50_000
  config.agent.epsilon_decay_steps = 4_000_000 // FRAMES_PER_STEP
  config.agent.epsilon_evaluation = 0.01
  # Every 120,000 frames, at an update per 16 of them.
  config.agent.target_period_updates = 120_000 // 16

  config.replay.capacity = 1_000_000
  config.replay.min_size = 50_000
  config.replay.batch_size = 32
  config.replay.updates_per_step = FRAMES_PER_STEP / 16
  config.replay.discount = 0.99

  config.evaluation.every_steps = 1_000_000 // FRAMES_PER_STEP
  config.evaluation.episodes = 8
  config.evaluation.max_steps = 27_000
  config.diagnostics.every_steps = 1_000_000 // FRAMES_PER_STEP
  config.checkpoint.every_steps = 10_000_000 // FRAMES_PER_STEP
  config.fork.horizon = 20_000_000 // FRAMES_PER_STEP

  if 'sticky' in words:
    config.environment.sticky_action_prob = 0.25
  if 'adam' in words or 'short' in words:
    config.optimizer.name = 'adam'
    config.optimizer.learning_rate = 6.25e-5
    config.optimizer.eps = 1.5e-4
  if 'injection' in words:
    step = 50_000_000 // FRAMES_PER_STEP
    config.interventions = (f'injection(at_steps={step})',)
  if 'bigger' in words:
    config.network.sized_for_injections = 1
  if 'replay_4m' in words:
    config.replay.capacity = 4_000_000
    config.replay.compress = True
  if 'short' in words:
    config.num_steps = 100_000
    config.optimizer.learning_rate = 1e-4
    config.agent.epsilon_hold_steps = 1600
    config.agent.epsilon_decay_steps = 5000
    config.agent.target_period_updates = 500
    config.replay.capacity = 100_000
    config.replay.min_size = 1600
    config.replay.updates_per_step = 1.0
    config.replay.n_step = 10
    config.evaluation.every_steps = 5000
    config.evaluation.episodes = 4
    config.diagnostics.every_steps = 10_000
    config.checkpoint.every_steps = 10_000
    config.fork.horizon = 20_000
  return config
