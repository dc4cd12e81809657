"""Networks that have aged: what `plasticity-rl checkpoints make` trains.

A variant is the name of a checkpoint. These are small, so that they can come
with the package: few seeds, and replays no larger than the agent needs. A fork
goes on from the whole state, replay included, so nothing may be left out of it
afterwards.
"""

from plasticity_rl import errors
from plasticity_rl.aged.names import ABOUT
from plasticity_rl.configs import continual_catch
from plasticity_rl.configs import control
from plasticity_rl.configs import minatar
from plasticity_rl.configs import random_labels


def get_config(variant: str = 'catch_12'):
  if variant not in ABOUT:
    raise errors.UserError(errors.nearest('checkpoint', variant, ABOUT))
  return {
    'catch_12': _catch,
    'labels_20': _labels,
    'pendulum_32': _pendulum,
    'space_invaders_400k': _space_invaders,
  }[variant]()


def _catch():
  config = continual_catch.get_config()
  config.num_seeds = 6
  return config


def _labels():
  """A smaller network than that of the study, and fewer inputs."""
  config = random_labels.get_config()
  config.num_seeds = 6
  config.environment.examples = 400
  config.environment.input_size = 32
  config.network.hidden = (48, 48)
  return config


def _pendulum():
  config = control.get_config('pendulum,ratio=32')
  config.num_seeds = 6
  config.num_steps = 10_000
  config.network.hidden = (32, 32)
  config.replay.capacity = 2000
  config.fork.horizon = 2000
  return config


def _space_invaders():
  """Returns had fallen from their peak by then in a search of settings."""
  config = minatar.get_config('space_invaders')
  config.num_seeds = 6
  config.num_steps = 400_000
  config.optimizer.learning_rate = 1e-3
  config.replay.capacity = 20_000
  config.fork.horizon = 60_000
  return config
