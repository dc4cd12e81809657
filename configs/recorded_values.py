"""Fitting the values of ten points of a run in turn: supervised.

Does a network that fitted the values of earlier policies take longer to fit
those of the next one than a fresh network does? `config.environment.path` is a
recording (see `benchmarks/illustration.py`). The fork is just before the first
change of task: the arms then go on through the others, with nothing done, with
a fresh network for each, or with an injection before each.
"""

from plasticity_rl import settings

TASK_STEPS = 3000
TASKS = 10
SEGMENT = 50


def get_config(variant: str = ''):
  if variant not in ('', 'tiny'):
    raise ValueError(f'unknown variant {variant!r}; valid: tiny')
  task = 20 if variant else TASK_STEPS
  segment = 5 if variant else SEGMENT
  config = settings.default_config('supervised', 'recorded_values')
  config.num_seeds = 2 if variant else 10
  config.segment_steps = segment
  config.num_steps = task
  config.environment.switch_every_steps = task
  config.network.hidden = (64, 32)
  config.network.split = 1
  config.optimizer.learning_rate = 1e-3
  config.evaluation.every_steps = segment
  config.diagnostics.every_steps = task // 2
  config.checkpoint.every_steps = task
  config.fork.step = task - segment
  config.fork.horizon = segment + (TASKS - 1) * task
  config.fork.arms = (
    'control',
    f'injection(every_steps={task})',
    f'fresh=reset(scope="everything", every_steps={task})',
  )
  return config
