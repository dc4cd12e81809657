"""How long a verdict takes: 10 seeds, five arms; cold, warm, and run by run.

  python -m benchmarks.time_to_verdict [--case=catch ...] [--quick]

Each case is diagnosed twice by the command that users type: with an empty
compilation cache, and with what that left. The same on one device and on two
that the CPU is divided into (`--cpu_devices`), each with half of the seeds.
Catch's work is then done as runs of their own on as many devices as was quicker:
for each arm a training from the start with its intervention at the step of the
fork, ten seeds in a program, with a warm cache as well. MinAtar, which takes
twenty minutes, is diagnosed once: cold, on two devices.

Writes `results/time_to_verdict.md`; every command's times are kept beside its
folder, so that an interrupted benchmark goes on.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys

from benchmarks import studies
from plasticity_rl import config_files
from plasticity_rl import revision
from plasticity_rl import settings as settings_lib

# By name: the config, what is otherwise, and that with `--quick`.
CASES = {
  'catch': ('continual_catch:demo', {}, {'num_steps': 3000}),
  'minatar': (
    'minatar:breakout',
    {
      'num_steps': 100_000,
      'replay.capacity': 50_000,
      'fork.horizon': 20_000,
      'checkpoint.every_steps': 50_000,
    },
    {'num_steps': 10_000, 'fork.horizon': 2000},
  ),
  'control': ('control:pendulum', {}, {'num_steps': 3000}),
}
ONCE, APART = ('minatar',), ('catch',)
PARTS = (
  'import',
  'tracing',
  'lowering',
  'compiling',
  'running',
)


def timed(name: str, module: str, cache: pathlib.Path, *arguments: str) -> dict:
  """The times of a command in `runs/time_to_verdict/NAME`, run once."""
  folder = studies.RUNS / 'time_to_verdict'
  folder.mkdir(parents=True, exist_ok=True)
  record = folder / f'{name}.json'
  if not record.exists():
    subprocess.run(
      [
        *(sys.executable, '-m', 'benchmarks.timed_command', str(record)),
        *(str(cache), module, f'--workdir={folder / name}'),
        '--config.log.progress=False',
        *arguments,
      ],
      check=True,
      stdout=subprocess.DEVNULL,
    )
  return json.loads(record.read_text())


def measure(case: str, quick: bool) -> list[dict]:
  """Its rows: cold, warm, and runs of their own."""
  source, changes, quickly = CASES[case]
  changes = {'num_seeds': 10, **changes, **(quickly if quick else {})}
  words = [
    f'--config={source}',
    *(f'--config.{key}={value}' for key, value in changes.items()),
  ]
  prefix = f'{case}_quick' if quick else case
  cache = studies.RUNS / 'time_to_verdict' / f'{prefix}_cache'
  diagnose = 'plasticity_rl.diagnose'
  most = min(2, os.cpu_count() or 1)
  rows = [
    {
      'how': f'{how}, {number} device{"s" if number > 1 else ""}',
      **timed(
        f'{prefix}_{how}_{number}',
        diagnose,
        cache.with_name(f'{cache.name}_{number}'),
        *words,
        f'--cpu_devices={number}',
      ),
    }
    for number in range(1, most + 1)
    for how in ('cold', 'warm')
    if case not in ONCE or (how, number) == ('cold', most)
  ]
  if case not in APART:
    return rows
  warm = [row['whole'] for row in rows[1::2]]
  words.append(f'--cpu_devices={warm.index(min(warm)) + 1}')
  variant = config_files.split(source)[1].removeprefix(':')
  config = config_files.load(source).get_config(variant)
  config.update_from_flattened_dict(changes)
  settings = settings_lib.resolve(config)
  apart = []
  for how in ('once before', 'separate'):  # The first fills the cache.
    apart = [
      timed(
        f'{prefix}_{how.replace(" ", "_")}_{i}',
        'plasticity_rl.train',
        cache,
        *words,
        f'--config.num_steps={settings.num_steps + settings.fork.horizon}',
        f'--config.interventions={(_at(text, settings.num_steps),)!r}',
      )
      for i, text in enumerate(settings.fork.arms)
    ]
  together = {key: sum(x.get(key, 0.0) for x in apart) for key in apart[0]}
  return [*rows, {'how': 'five runs apart', **together}]


def _at(text: str, step: int) -> str:
  """An arm's expression as an intervention at a step."""
  if not text.endswith(')'):
    return f'{text}(at_steps={step})'
  return f'{text[:-1]}, at_steps={step})'


def page(found: dict[str, list[dict]]) -> str:
  """The page, in Markdown."""
  lines = [
    '# How long a verdict takes',
    '',
    'Ten seeds, a fork into five arms, with evaluations, diagnostics, '
    'checkpoints and the report. Seconds of the clock, and where they go; '
    'compiling, warm, is reading what was compiled; writing is what the '
    'thread that saves checkpoints spends, beside the rest; processor is '
    'that of all threads. `five runs apart` does the same work without a '
    'fork: each arm is trained from the start, warm.',
    '',
  ]
  for case, rows in found.items():
    lines += [f'## {case}: `{CASES[case][0]}`', '']
    lines += [
      studies.table(
        [
          {
            '': row['how'],
            **{
              part: f'{row.get(part, 0.0):.1f}'
              for part in (*PARTS, 'whole', 'writing', 'processor')
            },
          }
          for row in rows
        ]
      ),
      '',
    ]
  lines += [
    f'Machine: {studies.machine()}. Commit: {revision.of_code()}.',
    '',
    '    python -m benchmarks.time_to_verdict',
  ]
  return '\n'.join(lines) + '\n'


def main() -> None:
  """Measures the cases, and writes the page if all were measured whole."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--case', action='append', choices=CASES)
  parser.add_argument('--quick', action='store_true', help='far fewer steps')
  arguments = parser.parse_args()
  found = {
    case: measure(case, arguments.quick) for case in arguments.case or CASES
  }
  text = page(found)
  print(text)
  if not arguments.quick:
    (studies.RESULTS / 'time_to_verdict.md').write_text(text)


if __name__ == '__main__':
  main()
