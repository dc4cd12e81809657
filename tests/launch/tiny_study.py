"""Does a small network that memorises labels need an injection? For tests.

Compiles in the least time. `alone` has runs that share no prefix.
"""

from plasticity_rl.configs import random_labels


def get_config(variant: str = ''):
  del variant
  config = random_labels.get_config('tiny')
  config.num_steps = 400
  config.segment_steps = 25
  config.checkpoint.every_steps = 50
  config.evaluation.every_steps = 100
  config.diagnostics.every_steps = 100
  config.diagnostics.names = ('weight_norm',)
  config.environment.examples = 50
  config.environment.input_size = 8
  config.environment.switch_every_steps = 200
  config.network.hidden = (8,)
  config.replay.batch_size = 8
  return config


def get_sweep(h, variant: str = ''):
  if variant == 'alone':
    return h.sweep('optimizer.learning_rate', [1e-3, 2e-3, 3e-3])
  return h.chain(
    h.arm('control'),
    h.arm('injection', {'interventions': ('injection(at_steps=200)',)}),
    h.arm('reset', {'interventions': ('reset(scope="head", at_steps=200)',)}),
  )
