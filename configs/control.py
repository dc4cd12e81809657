"""Small networks on control problems, inside the compiled loop.

SAC where actions are continuous, Double DQN where they are discrete, and DrQ
from pictures. Variants, joined by commas: a problem (`pendulum` by default,
`cartpole`, `acrobot`, `mountain_car`, `mountain_car_continuous`,
`cartpole_swingup`, `cartpole_swingup_sparse`, `pendulum_pixels`), `ratio=1` to
`ratio=32` for so many updates a step, `simba` for a residual block instead of a
dense layer, normalised observations and decayed weights, `simbav2` for SAC with
SimBaV2's networks, critics and scaled rewards, `continual` for ten tasks of
other physics, each half as long as a run without it, and `gradual` for the
same, but physics drifts. What is learned in 20k steps (60k of `mountain_car`),
and how long these take: `results/control/README.md`.
"""

from plasticity_rl import settings
from plasticity_rl.environments import registry
from plasticity_rl.settings import variants

SAC = (
  'pendulum',
  'mountain_car_continuous',
  'cartpole_swingup',
  'cartpole_swingup_sparse',
)
DQN = ('cartpole', 'acrobot', 'mountain_car')
DRQ = ('pendulum_pixels',)
RATIOS = tuple(f'ratio={n}' for n in (1, 2, 4, 8, 16, 32))
OTHERS = ('continual', 'gradual', 'simba', 'simbav2', *RATIOS)


def get_config(variant: str = ''):
  problem, words = variants.parse(
    variant,
    (*SAC, *DQN, *DRQ),
    OTHERS,
    default='pendulum',
    kind='any control problem here',
  )
  ratios = [int(word.split('=')[1]) for word in words if word in RATIOS]
  agent = 'sac' if problem in SAC else 'drq' if problem in DRQ else 'dqn'
  config = settings.default_config(agent, problem)
  config.num_seeds = 10
  config.num_steps = 20_000
  config.segment_steps = 1000

  config.network.hidden = (64, 64)
  config.network.split = 1
  config.optimizer.learning_rate = 1e-3
  if 'simba' in words:
    config.environment.normalize_observations = agent != 'drq'
    config.network.hidden = (64,)
    config.network.residual_blocks = 1
    config.network.initializer = 'orthogonal'
    config.optimizer.name = 'adamw'
    config.optimizer.weight_decay = 1e-2

  if 'simbav2' in words:
    if agent != 'sac':
      raise ValueError(f'simbav2 is for SAC, which learns {", ".join(SAC)}')
    config.environment.normalize_observations = True
    config.environment.scale_rewards = config.agent.v_max
    config.network.hidden = (64,)
    config.network.residual_blocks = 1
    config.network.hyperspherical = True
    config.agent.bins = 101
    config.agent.initial_temperature = 0.01

  config.replay.capacity = 20_000
  config.replay.min_size = 1000
  config.replay.batch_size = 64
  config.replay.updates_per_step = float(ratios[-1] if ratios else 1)
  if agent == 'drq':
    config.network.convolutions = ((8, 3, 2), (16, 3, 2))
    config.network.split = 2
    config.agent.shift = 2
    config.agent.initial_temperature = 1.0
  if agent != 'dqn':
    config.agent.random_steps = 1000
  else:
    # With the Huber loss values of some hundred steps do not converge.
    config.agent.loss = 'squared'
    config.agent.target_period_updates = 100
    config.agent.epsilon_decay_steps = 5000
  if problem == 'acrobot':
    config.optimizer.learning_rate = 5e-4
  if problem == 'mountain_car':
    # The goal is found late, and its news has to travel back far.
    config.num_steps = config.replay.capacity = 60_000
    config.agent.epsilon_decay_steps = 30_000
    config.replay.n_step = 5
  if problem.startswith('cartpole_swingup'):
    config.environment.action_repeat = 4

  config.evaluation.every_steps = 1000
  config.evaluation.episodes = 10
  config.evaluation.max_steps = 1000  # Above every limit of an episode.
  config.diagnostics.every_steps = 2000
  config.checkpoint.every_steps = 10_000
  config.fork.horizon = 10_000

  if 'continual' in words or 'gradual' in words:
    task_steps = config.num_steps // 2
    config.num_steps = 10 * task_steps
    config.environment.switch_every_steps = task_steps
    config.environment.vary = tuple(
      name
      for name in registry.physics(problem)
      if name != 'friction'  # Too small to matter.
    )
    config.environment.gradual = 'gradual' in words
    config.replay.capacity = task_steps
    config.replay.clear_on_switch = 'gradual' not in words
  return config
