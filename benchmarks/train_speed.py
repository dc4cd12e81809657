"""Environment steps a second of whole training, beside other libraries.

  taskset -c 0 python -m benchmarks.train_speed [--peers=FILE] [CASE ...]

DQN with the Nature network on Breakout (batch 32, an update every four steps,
replay of 100k) and SAC on cheetah-run from state (256 x 256, batch 256) at 1, 8
and 32 updates a step: environments, replay, updates and logging of metrics, as
`train` does them, without events. Three windows each, of which the median
counts. FILE has a JSON object a line, as scripts that time other libraries
under the same conditions write them: `bench` ('dqn_atari' or 'sac_state'),
`peer`, `replay_ratio`, `env_steps_per_s` (or `agent_steps_per_s`, where a step
repeats an action), and `calib_ms`, best and median of a product of 768 x 768
matrices, which says whether the machine was in the same state. Writes
results/train_speed.md.
"""

import argparse
import json
import os
import statistics
import time

import numpy as np

from benchmarks import studies
from benchmarks.minatar_speed import matmul_gflops
from configs import dqn_atari
from configs import sac_dmc
from plasticity_rl import revision
from plasticity_rl import settings as settings_lib
from plasticity_rl.training import experiment as experiment_lib

WINDOWS = 3
# Of libraries that were not timed in the same run: steps/s on one core of a
# machine of this kind, with the same sizes, in November 2026.
ELSEWHERE = (
  ('DQN Breakout', 'CleanRL, PyTorch', '53 to 61'),
  ('DQN Breakout', 'CleanRL, JAX', '58'),
  ('DQN Breakout', 'DQN Zoo', '37'),
  ('DQN Breakout', 'Dopamine', '35'),
  ('DQN Breakout', 'sb3, that day', '40 to 51'),
  ('SAC cheetah-run, ratio 1', 'jaxrl', '75'),
  ('SAC cheetah-run, ratio 1', 'CleanRL, PyTorch', '53'),
  ('SAC cheetah-run, ratio 1', 'sb3, that day', '53'),
  ('SAC cheetah-run, ratio 1', 'sbx, that day', '84'),
  ('SAC cheetah-run, ratio 8', 'jaxrl', '11.5'),
  ('SAC cheetah-run, ratio 8', 'sb3, that day', '7.5'),
  ('SAC cheetah-run, ratio 8', 'sbx, that day', '12.3'),
)
OUT = studies.RESULTS / 'train_speed.md'


def dqn():
  config = dqn_atari.get_config('breakout')
  config.replay.capacity = 100_000
  config.replay.min_size = 200
  config.segment_steps = 400
  return config


def sac(ratio: int):
  config = sac_dmc.get_config('cheetah_run' + (f',rr{ratio}' * (ratio > 1)))
  config.agent.random_steps = config.replay.min_size = 300
  config.segment_steps = max(32, 1000 // ratio)
  return config


# By name: the peers' bench and replay ratio, the config, the updates a step.
CASES = {
  'DQN Breakout': (('dqn_atari', None), dqn, 0.25),
  **{
    f'SAC cheetah-run, ratio {ratio}': (
      ('sac_state', ratio),
      lambda ratio=ratio: sac(ratio),
      ratio,
    )
    for ratio in (1, 8, 32)
  },
}


def calibrate() -> tuple[float, float]:
  """Best and median milliseconds of a float32 product of 768 x 768 in NumPy."""
  a = np.ones((768, 768), np.float32)
  times = []
  for _ in range(16):
    begun = time.perf_counter()
    np.matmul(a, a)
    times.append(1e3 * (time.perf_counter() - begun))
  return min(times[1:]), statistics.median(times[1:])


def measure(config) -> float:
  """Steps a second, the median of windows of one segment."""
  settings = settings_lib.resolve(config)
  experiment = experiment_lib.build(settings)
  state = experiment.init()
  while int(state.counters.updates) < 4:  # Compiles, and begins to learn.
    state, _ = experiment.trainer.segment(state)
  rates = []
  for _ in range(WINDOWS):
    begun = time.perf_counter()
    state, metrics = experiment.trainer.segment(state)
    {k: np.asarray(v) for k, v in metrics.items()}  # As the timeline does.
    rates.append(settings.segment_steps / (time.perf_counter() - begun))
  return statistics.median(rates)


def main() -> None:
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--peers', help='JSON lines of other libraries')
  parser.add_argument('cases', nargs='*', metavar='CASE')
  arguments = parser.parse_args()
  peers = []
  if arguments.peers:
    with open(arguments.peers) as file:
      peers = [json.loads(line) for line in file]
  rows = []
  for name, (bench, make, updates) in CASES.items():
    if arguments.cases and name not in arguments.cases:
      continue
    best, middle = calibrate()
    rate = measure(make())
    rows.append(
      {
        'case': name,
        'library': 'plasticity_rl',
        'steps/s': f'{rate:.1f}',
        'ms an update, all in': f'{1e3 / rate / updates:.2f}',
        'ours is': '1',
        '768-product, ms': f'{best:.1f} / {middle:.1f}',
      }
    )
    print(rows[-1], flush=True)
    for row in peers:
      if (row['bench'], row.get('replay_ratio')) != bench:
        continue
      theirs = row.get('agent_steps_per_s') or row['env_steps_per_s']
      rows.append(
        {
          'case': name,
          'library': row['peer'],
          'steps/s': f'{theirs:.1f}',
          'ms an update, all in': f'{1e3 / theirs / updates:.2f}',
          'ours is': f'{rate / theirs:.2f} x as fast',
          '768-product, ms': ' / '.join(f'{x:.1f}' for x in row['calib_ms']),
        }
      )
  OUT.write_text(
    '\n'.join(
      [
        '# How fast whole training is',
        '',
        f'{len(os.sched_getaffinity(0))} core(s). '
        f'{matmul_gflops():.0f} '
        'GFLOP/s '
        'in a 1024 x 1024 product. Rows whose 768-product took other times were '
        'measured on a machine in another state: compare them divided by it.',
        '',
        studies.table(rows),
        '',
        'Not in the same run, and so for orientation: other libraries, and again '
        'those above, on one core of a machine of this kind in another state.',
        '',
        studies.table(
          [
            dict(zip(('case', 'library', 'steps/s'), row, strict=True))
            for row in ELSEWHERE
            if row[0] in {r['case'] for r in rows}
          ]
        ),
        '',
        f'Machine: {studies.machine()}. Commit: {revision.of_code()}.',
        '',
        '    python -m benchmarks.train_speed',
        '',
      ]
    )
  )
  print(f'wrote {OUT}')


if __name__ == '__main__':
  main()
