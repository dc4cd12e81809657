"""An environment of your own in JAX, or one of gymnax, craftax, octax, brax...

  --config.environment.name=gymnax:make
  --config.environment.arguments="('CartPole-v1',)"
  --config.environment.name=jax:my_package.my_module:make_env

It runs inside the compiled loop; see docs/environments.md. Variants: the agent,
`dqn` (discrete actions, the default), `sac` (continuous ones, from vectors) or
`drq` (continuous ones, from pictures).
"""

from plasticity_rl import settings

AGENTS = ('dqn', 'sac', 'drq')


def get_config(variant: str = ''):
  agent = variant or 'dqn'
  if agent not in AGENTS:
    raise ValueError(f'unknown variant {variant!r}; valid: {", ".join(AGENTS)}')
  config = settings.default_config(agent, 'jax:my_package.my_module:make_env')
  config.num_steps = 100_000
  config.replay.capacity = 100_000
  config.replay.min_size = 1000
  config.replay.batch_size = 64
  config.evaluation.every_steps = 5000
  config.diagnostics.every_steps = 5000
  config.fork.horizon = 10_000
  config.network.hidden = (64, 64)
  config.network.split = 1
  if agent == 'dqn':
    config.agent.target_period_updates = 500
    config.agent.epsilon_decay_steps = 10_000
  else:
    config.network.initializer = 'orthogonal'
    config.optimizer.learning_rate = 1e-3
    config.agent.random_steps = 1000
  if agent == 'drq':
    config.network.convolutions = ((16, 3, 2), (32, 3, 2))
    config.network.split = 2
    config.optimizer.learning_rate = 3e-4
  return config
