"""Are several seeds faster in one program than in a process each?

  python -m benchmarks.batching_seeds

Processor time of a seed's step, on one core, by how many seeds the program has:
of a long run less that of a short one, so that starting and compiling are not
in it. `launch/batching.py` takes its limits from this.
"""

import os
import pathlib
import subprocess
import sys
import tempfile

from benchmarks import studies
from plasticity_rl import revision

CASES = {
  'dense: continual Catch, 50->64->64->3': (
    'configs/continual_catch.py:demo',
    (1, 4, 16, 32),
    (3000, 9000),
    {'segment_steps': 500},
  ),
  'convolutions: MinAtar Breakout, 16 3x3, 128': (
    'configs/minatar.py:breakout',
    (1, 4, 8),
    (600, 1500),
    {'segment_steps': 500, 'replay.min_size': 100, 'replay.capacity': 10_000},
  ),
}


def seconds(config, seeds, steps, overrides) -> float:
  """Processor time of a training run from start to end."""
  flags = {
    **overrides,
    'num_seeds': seeds,
    'num_steps': steps,
    'evaluation.every_steps': 10**6,
    'diagnostics.every_steps': 10**6,
    'checkpoint.every_steps': 10**6,
    'log.progress': False,
  }
  with tempfile.TemporaryDirectory() as folder:
    before = os.times()
    subprocess.run(
      [
        sys.executable,
        '-m',
        'plasticity_rl.train',
        f'--config={config}',
        f'--workdir={pathlib.Path(folder) / "run"}',
        *(f'--config.{k}={v}' for k, v in flags.items()),
      ],
      check=True,
      capture_output=True,
    )
    after = os.times()
  return (
    after.children_user
    + after.children_system
    - before.children_user
    - before.children_system
  )


def main() -> None:
  os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
  rows = []
  for name, (config, counts, (short, long), overrides) in CASES.items():
    alone = None
    for seeds in counts:
      spent = min(
        seconds(config, seeds, long, overrides) for _ in range(2)
      ) - min(seconds(config, seeds, short, overrides) for _ in range(2))
      each = spent / (long - short) / seeds
      alone = alone or each
      rows.append(
        {
          'program': name,
          'seeds': str(seeds),
          'ms a step of a seed': f'{1e3 * each:.3f}',
          'against one seed': f'{each / alone:.2f}',
        }
      )
      print(rows[-1], flush=True)
  text = '\n'.join(
    [
      '# Several seeds in one program',
      '',
      'Processor time on one core, an update a step, batch 32, best of two,',
      f'starting and compiling taken off. Commit {revision.of_code()},',
      f'{studies.machine()}.',
      '',
      '    python -m benchmarks.batching_seeds',
      '',
      studies.table(rows),
      '',
    ]
  )
  (studies.RESULTS / 'batching_seeds.md').write_text(text)


if __name__ == '__main__':
  main()
