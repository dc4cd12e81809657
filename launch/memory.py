"""Estimates the host's memory that a run needs, from its settings.

If the replay is on the device, and the device is the host's CPU, then a run
holds its state twice: the state, and the copy from which a checkpoint is
written. A replay on the host is saved without a copy.
"""

import dataclasses
import math
import pathlib

import jax

from plasticity_rl import settings as settings_lib
from plasticity_rl.environments import host_registry
from plasticity_rl.replay import host_spec
from plasticity_rl.training import experiment as experiment_lib
from plasticity_rl.training import host_data_source

# Measured for a process that trains a small network on a CPU: 0.55 to 0.75 GiB.
BASE_BYTES = int(0.75 * 2**30)
_COPIES = 2


def of_run(settings: settings_lib.Settings) -> int:
  """The bytes that a run needs. It builds the environment for its spaces.

  Raises:
    UserError: the environment or the experiment cannot be built.
  """
  task = settings.environment
  if isinstance(task, settings_lib.HostEnvironmentConfig):
    replay = host_data_source.replay_settings(
      settings, _spaces(task.name, settings.environment_options)
    )
    return BASE_BYTES + settings.num_seeds * host_spec.bytes_needed(replay)
  # Interventions hardly change the memory, which is mostly that of the replay.
  state = experiment_lib.build(
    dataclasses.replace(settings, interventions=(), num_seeds=1)
  ).shapes(())
  one = sum(
    math.prod(leaf.shape) * leaf.dtype.itemsize
    for leaf in jax.tree.leaves(state)
  )
  return BASE_BYTES + _COPIES * settings.num_seeds * one


def _spaces(name, options):
  # For evaluation, since environments for training are tried first.
  environment = host_registry.make(name, 1, evaluation=True, **options)
  try:
    return environment.spaces
  finally:
    environment.close()


def available() -> int | None:
  """Bytes available to new processes; None if the system does not report it."""
  try:
    lines = pathlib.Path('/proc/meminfo').read_text().splitlines()
  except OSError:
    return None
  for line in lines:
    if line.startswith('MemAvailable:'):
      return int(line.split()[1]) * 1024
  return None
