"""The names of the aged checkpoints."""

from collections.abc import Mapping
from types import MappingProxyType

# What each is, and how long it takes to make it on one core.
ABOUT: Mapping[str, str] = MappingProxyType(
  {
    'catch_12': 'Double DQN on continual Catch after 12 tasks; half a minute',
    'labels_20': 'a classifier after 20 sets of random labels; half a minute',
    'pendulum_32': (
      'SAC on a pendulum, 32 updates a step, after 10,000 steps; 5 minutes'
    ),
    'space_invaders_400k': (
      'Double DQN on MinAtar Space Invaders after 400,000 steps; an hour'
    ),
  }
)
