"""An environment of your own, by import path; see docs/environments.md.

  --config.environment.name=my_package.my_module:make_env

Variants: the agent, `dqn` (discrete actions, the default), `sac` (continuous
ones) or `drq` (continuous ones, from pictures).
"""

from plasticity_rl import settings

AGENTS = ('dqn', 'sac', 'drq')


def get_config(variant: str = ''):
  agent = variant or 'dqn'
  if agent not in AGENTS:
    raise ValueError(f'unknown variant {variant!r}; valid: {", ".join(AGENTS)}')
  config = settings.default_config(agent, 'my_package.my_module:make_env')
  config.num_steps = 100_000
  config.replay.capacity = 100_000
  config.replay.min_size = 1000
  config.evaluation.every_steps = 5000
  config.diagnostics.every_steps = 5000
  config.fork.horizon = 10_000
  if agent == 'dqn':
    config.network.hidden = (64, 64)
    config.network.split = 1
    config.agent.target_period_updates = 500
    config.agent.epsilon_decay_steps = 10_000
    return config
  config.network.hidden = (256, 256)
  config.network.split = 1
  config.network.initializer = 'orthogonal'
  config.optimizer.learning_rate = 3e-4
  config.agent.random_steps = 1000
  config.replay.batch_size = 256
  if agent == 'drq':
    config.network.convolutions = (
      (32, 3, 2),
      (64, 3, 2),
      (128, 3, 2),
      (256, 3, 2),
    )
    config.network.split = 4
  return config
