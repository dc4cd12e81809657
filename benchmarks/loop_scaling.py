"""What the two loops ask of their host where a run is spread over devices.

  python -m benchmarks.loop_scaling DEVICES data|seeds device|host

One run, whatever the number of devices: 8 environments and batches of 64
examples ('data'), or 8 seeds ('seeds'). In a process of its own, with as many
forced host devices; prints JSON.
"""

import json
import os
import sys

if __name__ == '__main__':
  os.environ['XLA_FLAGS'] = (
    f'--xla_force_host_platform_device_count={sys.argv[1]}'
  )

import time
from typing import Any

import gymnasium
import jax
import numpy as np

from benchmarks import weak_scaling
from plasticity_rl import settings as settings_lib
from plasticity_rl.training import experiment as experiment_lib

SHARED, ROWS, REPEATS = 8, 16, 3


class Numbers(gymnasium.Env):
  """An environment that costs nothing: numbers, the same for any action."""

  observation_space = gymnasium.spaces.Box(-1, 1, (8,), np.float32)
  action_space = gymnasium.spaces.Discrete(3)

  def reset(self, *, seed=None, options=None):
    del seed, options
    self._time = 0
    return np.zeros(8, np.float32), {}

  def step(self, action):
    self._time += 1
    return np.full(8, 0.1, np.float32), 0.0, False, self._time == 50, {}


def settings_of(mode: str, loop: str) -> settings_lib.Settings:
  """Eight updates a row ('data') or one a seed ('seeds')."""
  # By its path: it is not of this module where that is the program.
  name = 'catch' if loop == 'device' else 'benchmarks.loop_scaling:Numbers'
  config = settings_lib.default_config('dqn', name)
  config.network.hidden, config.network.split = (16, 16), 1
  config.parallel = mode
  config.num_seeds = SHARED if mode == 'seeds' else 1
  config.environment.num_envs = SHARED if mode == 'data' else 1
  config.segment_steps = ROWS * config.environment.num_envs
  config.num_steps = 100 * config.segment_steps
  config.replay.capacity, config.replay.min_size = 512, 64
  config.replay.batch_size = 64
  config.replay.updates_per_step = 1.0
  for section in (config.evaluation, config.diagnostics, config.checkpoint):
    section.every_steps = config.num_steps
  return settings_lib.resolve(config)


def measure(mode: str, loop: str) -> dict[str, Any]:
  """Segments of a run on the devices that there are."""
  settings = settings_of(mode, loop)
  experiment = experiment_lib.build(settings)
  state = experiment.init()

  def segment():
    nonlocal state
    state, metrics = experiment.trainer.segment(state)
    jax.block_until_ready(metrics)

  while int(state.counters.updates) < 4 * ROWS:  # The replay fills first.
    segment()
  updates = int(state.counters.updates)
  seconds = []
  for _ in range(REPEATS):
    begun = time.thread_time()
    segment()
    seconds.append(time.thread_time() - begun)
  made = (int(state.counters.updates) - updates) // REPEATS
  return {
    'loop': loop,
    'mode': mode,
    'devices': len(jax.devices()),
    'steps': settings.segment_steps,
    'updates': made,
    'calls': ROWS if loop == 'host' else 1,
    'python_calls': weak_scaling.calls_of(segment),
    'host_microseconds': 1e6 * min(seconds),
  }


if __name__ == '__main__':
  print(json.dumps(measure(*sys.argv[2:])))
