"""Runs commands into folders that resume, and notes where results come from."""

import os
import pathlib
import platform
import shlex
import subprocess
import sys
import time

RESULTS = pathlib.Path('results')
RUNS = pathlib.Path('runs')


def diagnose(name: str, *arguments: str) -> tuple[pathlib.Path, str, float]:
  """Runs `plasticity_rl.diagnose`; its folder, the command, seconds."""
  workdir = RUNS / name
  words = ['-m', 'plasticity_rl.diagnose', *arguments, f'--workdir={workdir}']
  begun = time.monotonic()
  subprocess.run([sys.executable, *words], check=True)
  seconds = time.monotonic() - begun
  record = workdir / 'wall_seconds'
  # A folder that was complete is only judged again: its time stands.
  spent = float(record.read_text()) if record.exists() else 0.0
  if seconds > 30 or not record.exists():
    spent += seconds
    record.write_text(f'{spent:.1f}')
  return workdir, shlex.join(['python', *words]), spent


def machine() -> str:
  """Processor, cores and memory."""
  model = platform.machine()
  for line in pathlib.Path('/proc/cpuinfo').read_text().splitlines():
    if line.startswith('model name'):
      model = line.split(':')[1].strip()
      break
  memory = os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30
  return f'{model}, {os.cpu_count()} cores, {memory:.0f} GiB, no accelerator'


def table(rows: list[dict[str, str]]) -> str:
  """A Markdown table; a cell that a row lacks is a dash."""
  columns = list(dict.fromkeys(c for row in rows for c in row))
  lines = [' | '.join(columns), ' | '.join('---' for _ in columns)]
  lines += [' | '.join(str(row.get(c, '-')) for c in columns) for row in rows]
  return '\n'.join(f'| {line} |' for line in lines)
