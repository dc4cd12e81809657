"""What runs at scale would cost, on paper and as far as one machine can tell.

  python -m benchmarks.scaling

Asks XLA what an update of each agent costs (`scaling_costs`), and measures what
grows with the number of devices (`weak_scaling`), each in processes of their
own. Writes results/scaling.json, and from it docs/scaling.md (which is
arithmetic: `scaling_arithmetic`) and results/scaling.md (what was measured).
"""

import json
import os
import pathlib
import subprocess
import sys
from typing import Any

from benchmarks import scaling_page
from benchmarks import studies

ROOT = pathlib.Path(__file__).parent.parent
RECORD = ROOT / studies.RESULTS / 'scaling.json'
MEASURED = RECORD.with_suffix('.md')
PAGE = ROOT / 'docs' / 'scaling.md'
COUNTS = (1, 2, 4, 8, 16, 32, 64)


def _json_of(module: str, *arguments: str) -> Any:
  """What a module prints last, in a process of its own."""
  done = subprocess.run(
      [sys.executable, '-m', f'benchmarks.{module}', *arguments],
      env={'JAX_PLATFORMS': 'cpu', **os.environ}, text=True, check=True,
      stdout=subprocess.PIPE,
  )
  return json.loads(done.stdout.splitlines()[-1])


def weak() -> list[dict[str, Any]]:
  """A row for each layout and number of devices."""
  rows = []
  for mode in ('data', 'seeds'):
    for count in COUNTS:
      rows.append(_json_of('weak_scaling', str(count), mode))
      print(rows[-1], flush=True)
  return rows


def measured_page(rows: list[dict[str, Any]], machine: str, commit: str) -> str:
  """results/scaling.md."""
  return '\n'.join([
      '# What grows with the number of devices', '',
      'A tiny DQN on forced host devices, with as much work for each: 4 '
      'examples of a batch (`data`) or a seed (`seeds`). All devices share '
      'two cores, so that nothing here is a speed. Collectives and their bytes '
      'are read off the compiled update. Compilations of the update: in the '
      'first two steps, in all steps after them, and at an injection that '
      'grows the network. Host time is the processor time of the thread that '
      'calls, best of 5 times 20 steps, while other processes ran; Python '
      'calls are the functions that a step calls.', '',
      *(
          line for mode in ('data', 'seeds') for line in (
              f'## `{mode}`', '',
              studies.table([
                  _measured(row) for row in rows if row['mode'] == mode
              ]), '', _growth([row for row in rows if row['mode'] == mode]), '',
          )
      ),
      f'Machine: {machine}. Commit: {commit}.', '',
      '    python -m benchmarks.scaling', '',
  ])


def _growth(rows):
  """What a device more takes of its host, from the fewest and the most."""
  first, last = rows[1], rows[-1]  # One device alone needs none of it.
  more = last['devices'] - first['devices']
  calls, microseconds = (
      (last[what] - first[what]) / more
      for what in ('python_calls', 'host_microseconds')
  )
  twice = ''
  if last['compiled_first'] > 1:
    twice = (
        ' The update is compiled twice, at first and at an injection, since '
        'what it is given the first time is on one device.'
    )
  return (
      f'Collectives and bytes stay as they are. A device more of the same '
      f'process takes {calls:.0f} Python calls and {microseconds:.0f} us a '
      'step: its shards are cut and its program is started. All forced devices '
      'are of one process; a host of a slice has 4 or 8, however many hosts '
      'there are.' + twice
  )


def _measured(row):
  return {
      'devices': row['devices'], 'collectives': row['collectives'],
      'bytes': row['bytes'], 'compiled at first': row['compiled_first'],
      'later': row['compiled_later'],
      'at the injection': row['compiled_at_injection'],
      'Python calls a step': row['python_calls'],
      'host, us a step': f'{row["host_microseconds"]:.0f}',
  }


def main() -> None:
  record = {
      'machine': studies.machine(), 'commit': studies.revision(),
      'costs': _json_of('scaling_costs'), 'weak': weak(),
  }
  RECORD.write_text(json.dumps(record, indent=2) + '\n')
  write(record)


def write(record: dict[str, Any]) -> None:
  """Both pages, from a record."""
  PAGE.write_text(scaling_page.page(record['costs']))
  MEASURED.write_text(measured_page(
      record['weak'], record['machine'], record['commit']
  ))


if __name__ == '__main__':
  main()
