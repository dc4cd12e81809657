"""How much memory of the host a run takes, from its settings alone.

Where the replay is on the device, and the device is the host's processor, a run
holds its state twice: as it is, and as the copy that a checkpoint is written
from. A replay on the host writes itself, without a copy.
"""

import dataclasses
import functools
import math
import pathlib

import jax

from plasticity_rl import settings as settings_lib
from plasticity_rl.environments import host_registry
from plasticity_rl.replay import host_spec
from plasticity_rl.training import experiment as experiment_lib
from plasticity_rl.training import host_data_source

# A process that trains a small network on a CPU, measured: 0.55 to 0.75 GiB.
BASE_BYTES = int(0.75 * 2**30)
_COPIES = 2


def of_run(settings: settings_lib.Settings) -> int:
  """Bytes; makes the environment once, to see what it shows."""
  task = settings.environment
  if isinstance(task, settings_lib.HostEnvironmentConfig):
    options = tuple(sorted(settings.environment_options.items()))
    replay = host_data_source.replay_settings(
      settings, _spaces(task.name, options)
    )
    return BASE_BYTES + settings.num_seeds * host_spec.bytes_needed(replay)
  # What happens to a network hardly changes what it takes beside its replay.
  state = experiment_lib.build(
    dataclasses.replace(settings, interventions=(), num_seeds=1)
  ).shapes(())
  one = sum(
    math.prod(leaf.shape) * leaf.dtype.itemsize
    for leaf in jax.tree.leaves(state)
  )
  return BASE_BYTES + _COPIES * settings.num_seeds * one


@functools.lru_cache
def _spaces(name, options):
  environment = host_registry.make(name, 1, evaluation=False, **dict(options))
  try:
    return environment.spaces
  finally:
    environment.close()


def available() -> int | None:
  """Bytes that new processes can have; None if the system does not say."""
  try:
    lines = pathlib.Path('/proc/meminfo').read_text().splitlines()
  except OSError:
    return None
  for line in lines:
    if line.startswith('MemAvailable:'):
      return int(line.split()[1]) * 1024
  return None
