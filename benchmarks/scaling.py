"""What runs at scale would cost, on paper and as far as one machine can tell.

  python -m benchmarks.scaling

Asks XLA what an update of each agent costs (`scaling_costs`), and measures what
grows with the number of devices and hosts (`weak_scaling`, `loop_scaling`),
each in processes of their own. Writes results/scaling.json, and from it
docs/scaling.md (which is arithmetic: `scaling_arithmetic`) and
results/scaling.md (what was measured: `measured_page`).
"""

import json
import os
import pathlib
import socket
import subprocess
import sys
from typing import Any

from benchmarks import measured_page
from benchmarks import scaling_page
from benchmarks import studies
from plasticity_rl import revision

ROOT = pathlib.Path(__file__).parent.parent
RECORD = ROOT / studies.RESULTS / 'scaling.json'
MEASURED = RECORD.with_suffix('.md')
PAGE = ROOT / 'docs' / 'scaling.md'
COUNTS = (1, 2, 4, 8, 16, 32, 64)
HOSTS = (2, 4, 8)
LOCAL = (1, 2, 4, 8)  # Devices of a host.


def _start(module: str, *arguments: str) -> subprocess.Popen:
  return subprocess.Popen(
    [sys.executable, '-m', f'benchmarks.{module}', *arguments],
    env={'JAX_PLATFORMS': 'cpu', **os.environ},
    text=True,
    stdout=subprocess.PIPE,
  )


def _json_of(module: str, *arguments: str) -> Any:
  """What a module prints last, in a process of its own."""
  return _finish(_start(module, *arguments))


def _finish(process):
  told, _ = process.communicate()
  if process.returncode:
    raise subprocess.CalledProcessError(process.returncode, process.args)
  found = json.loads(told.splitlines()[-1])
  print(found, flush=True)
  return found


def weak() -> list[dict[str, Any]]:
  """A row for each layout and number of devices."""
  return [
    _json_of('weak_scaling', str(count), mode)
    for mode in ('data', 'seeds')
    for count in COUNTS
  ]


def of_hosts() -> list[dict[str, Any]]:
  """A row for each number of processes that share batches, of the first."""
  rows = []
  for count in HOSTS:
    with socket.socket() as one:
      one.bind(('127.0.0.1', 0))
      where = f'127.0.0.1:{one.getsockname()[1]}'
    processes = [
      _start('weak_scaling', str(count), 'data', where, str(index))
      for index in range(count)
    ]
    rows.append([_finish(process) for process in processes][0])
  return rows


def loops() -> list[dict[str, Any]]:
  """A row for each loop, layout and number of devices."""
  return [
    _json_of('loop_scaling', str(count), mode, loop)
    for loop in ('device', 'host')
    for mode in ('data', 'seeds')
    for count in LOCAL
  ]


def main() -> None:
  record = {
    'machine': studies.machine(),
    'commit': revision.of_code(),
    'costs': _json_of('scaling_costs'),
    'weak': weak(),
    'hosts': of_hosts(),
    'loops': loops(),
  }
  RECORD.write_text(json.dumps(record, indent=2) + '\n')
  write(record)


def write(record: dict[str, Any]) -> None:
  """Both pages, from a record."""
  PAGE.write_text(scaling_page.page(record['costs']))
  MEASURED.write_text(measured_page.page(record))


if __name__ == '__main__':
  main()
