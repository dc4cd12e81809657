"""Decisions per second of environments on the host, with random actions.

  python -m benchmarks.environments_speed

Per second of the clock and per second of processors, summed over threads: the
latter hardly changes when the machine does other work as well. Best of several
rounds. Writes results/environments_speed.md.
"""

import itertools
import os
import time

import numpy as np

from benchmarks import studies
from plasticity_rl import revision
from plasticity_rl.environments import host_registry
from plasticity_rl.environments import rendering
from plasticity_rl.environments.spaces import Discrete

ROUNDS = 5

# Name, numbers of environments, decisions of each in a round, options.
ATARI = [
  (f'atari_{game}', n, 200, {})
  for game in ('breakout', 'space_invaders')
  for n in (1, 4, 8)
]
STATE = [
  (f'dmc_{task}', n, 300, {})
  for task in ('cheetah_run', 'quadruped_run', 'humanoid_run')
  for n in (1, 4)
]
PIXELS = [
  (f'dmc_pixels_{task}', 1, 20, {'fast_rendering': mode, 'size': size})
  for task in ('cartpole_swingup', 'cheetah_run', 'quadruped_run')
  for mode, size in itertools.product(('off', 'on'), (84, 64))
]


def measure(name: str, num_envs: int, decisions: int, options: dict) -> dict:
  envs = host_registry.make(name, num_envs, evaluation=False, **options)
  begun = time.perf_counter()
  envs.begin(np.arange(num_envs, dtype=np.uint32))
  to_begin = time.perf_counter() - begun
  rng = np.random.default_rng(0)
  shape = decisions, num_envs
  if isinstance(envs.spaces.actions, Discrete):
    actions = rng.integers(envs.spaces.actions.num_actions, size=shape)
  else:
    size = envs.spaces.actions.size
    actions = rng.uniform(-1, 1, (*shape, size)).astype(np.float32)
  clock, processors = [], []
  for _ in range(ROUNDS):
    begun, used = time.perf_counter(), time.process_time()
    for action in actions:
      envs.step(action)
    clock.append(time.perf_counter() - begun)
    processors.append(time.process_time() - used)
  envs.close()
  total = decisions * num_envs
  return {
    'environment': name,
    'options': ', '.join(f'{k}={v}' for k, v in options.items()) or '-',
    'environments': num_envs,
    'action repeat': envs.frames_per_step,
    'decisions/s': f'{total / min(clock):.0f}',
    'decisions/s of processor': f'{total / min(processors):.0f}',
    's to begin': f'{to_begin:.2f}',
  }


def main() -> None:
  rows = [measure(*case) for case in ATARI + STATE + PIXELS]
  text = '\n'.join(
    [
      '# Speed of environments on the host',
      '',
      'Decisions a second, all environments together, with random actions, '
      f'best of {ROUNDS} rounds, on {len(os.sched_getaffinity(0))} cores that '
      'other work may have shared: trust the processor time. Pictures are '
      f'drawn by {rendering.gl_name()}.',
      '',
      studies.table(rows),
      '',
      f'Machine: {studies.machine()}. Commit: {revision.of_code()}.',
      '',
      '    python -m benchmarks.environments_speed',
      '',
    ]
  )
  studies.RESULTS.mkdir(exist_ok=True)
  (studies.RESULTS / 'environments_speed.md').write_text(text)
  print(text)


if __name__ == '__main__':
  main()
