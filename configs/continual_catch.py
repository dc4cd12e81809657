"""Continual Catch: a network that loses its plasticity in minutes.

Every 3000 steps pixels and actions are permuted anew and the replay is
emptied, so that each task is as hard as the first one for a network that can
still learn. At this learning rate Double DQN stops learning within a dozen
tasks. The fork is at the end of the prefix; each arm plays one more task.

Variants: `demo` has fewer seeds; `bigger` is `demo` with a head as large from
the start as injection makes it, for the question whether it is the size that
helps (set --config.interventions on `demo` for the other side, and compare
their ledger.json); `fresh` forks after the first task, when the network is
still plastic (a diagnosis should find nothing); `proxies` is for --proxies:
forks after each of the first eight tasks, while plasticity goes; `tiny` is for
tests.
"""

from plasticity_rl import settings
from plasticity_rl.diagnostics import registry

TASK_STEPS = 3000


def measure_proxies(config) -> None:
  """All diagnostics, at the forks alone.

  With a quarter of the published updates of target fitting, which would take
  most of the time.
  """
  config.diagnostics.every_steps = 10 * config.num_steps
  config.diagnostics.names = registry.FOR_ALL
  config.diagnostics.fit_steps = 1000
  config.diagnostics.fit_draws = 5


def get_config(variant: str = ''):
  config = settings.default_config('dqn', 'catch')
  config.num_seeds = 30
  config.num_steps = 12 * TASK_STEPS
  config.segment_steps = 500

  config.environment.permute = 'inputs'
  config.environment.permute_actions = True
  config.environment.switch_every_steps = TASK_STEPS

  config.network.hidden = (64, 64)
  config.network.split = 1
  config.optimizer.learning_rate = 3e-3
  config.agent.loss = 'squared'
  config.agent.epsilon_decay_steps = 0

  config.replay.capacity = 2000
  config.replay.clear_on_switch = True

  config.evaluation.every_steps = 500
  config.evaluation.episodes = 20
  config.diagnostics.every_steps = 1000
  config.checkpoint.every_steps = 3000
  config.fork.horizon = TASK_STEPS

  if variant == 'demo':
    config.num_seeds = 10
  elif variant == 'fresh':
    config.num_seeds = 10
    config.num_steps = TASK_STEPS
  elif variant == 'proxies':
    config.num_seeds = 20
    config.num_steps = 8 * TASK_STEPS
    measure_proxies(config)
    config.fork.proxy_steps = tuple(i * TASK_STEPS for i in range(1, 9))
    config.fork.arms = ('control', 'injection')
  elif variant == 'bigger':
    config.num_seeds = 10
    config.network.sized_for_injections = 1
  elif variant == 'tiny':
    config.num_seeds = 2
    config.num_steps = 300
    config.segment_steps = 100
    config.environment.switch_every_steps = 300
    config.evaluation.every_steps = 100
    config.diagnostics.every_steps = 200
    config.checkpoint.every_steps = 200
    config.fork.horizon = 200
  elif variant:
    raise ValueError(
      f'unknown variant {variant!r}; valid: bigger, demo, fresh, proxies, tiny'
    )
  return config
