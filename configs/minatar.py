"""Double DQN on MinAtar, one update a step.

Variants, joined by commas: a game (`breakout` by default, `asterix`,
`freeway`, `seaquest`, `space_invaders`), `sequence` for the games space
invaders, asterix and seaquest in turn, 100k steps each and twice round (choose
others by --config.environment.games), `mlp` for dense layers only, `continual`
for a new permutation of inputs and actions every 10k steps (with `mlp`, since
convolutions cannot see a permuted image), and `primed` for 50k updates on the
first 300 transitions.
"""

from plasticity_rl import settings

GAMES = (
  'asterix',
  'breakout',
  'freeway',
  'seaquest',
  'sequence',
  'space_invaders',
)
OTHERS = ('mlp', 'continual', 'primed')


def get_config(variant: str = ''):
  words = [word for word in variant.split(',') if word]
  for word in words:
    if word not in (*GAMES, *OTHERS):
      raise ValueError(
        f'unknown variant {word!r}; valid: {", ".join((*GAMES, *OTHERS))}'
      )
  game = next((word for word in words if word in GAMES), 'breakout')
  config = settings.default_config('dqn', f'minatar_{game}')
  config.num_seeds = 10
  config.num_steps = 1_000_000
  config.segment_steps = 2000

  config.network.convolutions = ((16, 3, 1),)
  config.network.hidden = (128,)
  config.network.split = 1
  config.optimizer.learning_rate = 2.5e-4
  config.agent.target_period_updates = 1000
  config.agent.epsilon_decay_steps = 100_000
  config.agent.epsilon_end = 0.05

  config.replay.capacity = 100_000
  config.replay.min_size = 5000

  config.evaluation.every_steps = 20_000
  config.evaluation.episodes = 10
  config.diagnostics.every_steps = 20_000
  config.checkpoint.every_steps = 100_000
  config.fork.horizon = 100_000

  if game == 'sequence':
    config.environment.switch_every_steps = 100_000
    config.num_steps = 600_000
    config.agent.epsilon_restart_on_switch = True
    config.agent.epsilon_decay_steps = 20_000
    config.replay.clear_on_switch = True
  if 'mlp' in words:
    config.network.convolutions = ()
    config.network.hidden = (64, 32)
  if 'continual' in words:
    config.environment.permute = 'inputs'
    config.environment.permute_actions = True
    config.environment.switch_every_steps = 10_000
    config.replay.clear_on_switch = True
    config.replay.capacity = 10_000
    config.replay.min_size = 500
    config.replay.updates_per_step = 2.0
    config.optimizer.learning_rate = 1.5e-3
    config.agent.target_period_updates = 200
    config.agent.epsilon_decay_steps = 2000
    config.agent.epsilon_restart_on_switch = True
    config.num_steps = 100_000
    config.evaluation.every_steps = 2000
    config.diagnostics.every_steps = 10_000
    config.checkpoint.every_steps = 50_000
    config.fork.horizon = 10_000
  if 'primed' in words:
    config.replay.min_size = 300
    config.replay.capacity = 20_000
    config.replay.priming_updates = 50_000
    config.segment_steps = 300
    config.num_steps = 300
    config.optimizer.learning_rate = 1e-3
    config.agent.target_period_updates = 200
    config.agent.epsilon_decay_steps = 3000
    config.evaluation.every_steps = 1500
    config.diagnostics.every_steps = 3000
    config.checkpoint.every_steps = 15_000
    config.fork.horizon = 60_000
    # A tenth of the return of about 3 that is reached in this time, far below
    # what the game allows.
    config.fork.margin = 0.3
    config.fork.arms = (
      'control',
      'injection',
      'head_reset=reset(scope="head")',
    )
  return config
