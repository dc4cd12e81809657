"""Memorising random labels, drawn again every 500 steps: supervised.

The return is minus the cross-entropy at the end of each task. After 20 tasks
the network cannot learn the next one.

Variants: `fresh` forks after the first task; `untrained` after 20 steps, from
a network that has learned next to nothing; `proxies` is for --proxies: forks
after every second of the first 16 tasks; `tiny` is for tests.
"""

from plasticity_rl import settings
from plasticity_rl.configs import continual_catch

TASK_STEPS = 500


def get_config(variant: str = ''):
  config = settings.default_config('supervised', 'random_labels')
  config.num_seeds = 10
  config.num_steps = 20 * TASK_STEPS
  config.segment_steps = TASK_STEPS
  config.environment.switch_every_steps = TASK_STEPS
  config.network.hidden = (128, 128)
  config.network.split = 1
  config.optimizer.learning_rate = 1e-3
  config.evaluation.every_steps = TASK_STEPS
  config.diagnostics.every_steps = TASK_STEPS
  config.checkpoint.every_steps = 2500
  config.fork.horizon = TASK_STEPS
  if variant == 'fresh':
    config.num_steps = TASK_STEPS
  elif variant == 'untrained':
    config.num_steps = 20
    config.segment_steps = 20
    config.fork.horizon = 480
  elif variant == 'proxies':
    config.num_seeds = 20
    config.num_steps = 16 * TASK_STEPS
    continual_catch.measure_proxies(config)
    config.fork.proxy_steps = tuple(2 * i * TASK_STEPS for i in range(1, 9))
    config.fork.arms = ('control', 'injection')
  elif variant == 'tiny':
    config.num_seeds = 2
    config.num_steps = 40
    config.segment_steps = 20
    config.environment.switch_every_steps = 20
    config.evaluation.every_steps = 20
    config.diagnostics.every_steps = 20
    config.checkpoint.every_steps = 20
    config.fork.horizon = 20
  elif variant:
    raise ValueError(
      f'unknown variant {variant!r}; valid: fresh, proxies, tiny, untrained'
    )
  return config
