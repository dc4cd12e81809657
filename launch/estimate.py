"""Estimates the cost of a study from a few measured segments.

Runs that differ only in their seed, interventions, learning rate or length run
the same program. For each program, a short run of the real command is timed: it
has six segments, and an evaluation and diagnostics (a *look*) after every
second one. FLOPs come from its ledger. Measurements are kept in the user's
cache folder, by settings, code and machine. The estimate does not include
priming and interventions inside the loop.
"""

import csv
import dataclasses
import hashlib
import json
import os
import pathlib
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from typing import Any

from absl import logging

from plasticity_rl import settings as settings_lib

from . import commands
from . import sharing
from . import study as study_lib

_SEGMENTS = 6
_LONGEST_SEGMENT = 1000
# Settings that do not change the program of a step.
_FREE = (
  'seed',
  'num_steps',
  'segment_steps',
  'interventions',
  'fork',
  'log',
  'checkpoint',
)


@dataclasses.dataclass(frozen=True)
class Cost:
  """The cost of a program, for all its seeds together.

  Attributes:
    step_seconds: seconds of a step of the run.
    look_seconds: seconds of an evaluation and the diagnostics.
    start_seconds: seconds of the start and of compiling.
    step_flops: FLOPs of a step, including its share of updates.
    look_flops: FLOPs of an evaluation.
    when: time of the measurement.
  """

  step_seconds: float
  look_seconds: float
  start_seconds: float
  step_flops: float
  look_flops: float
  when: str

  def of(self, steps: int, every: int) -> tuple[float, float]:
    """Seconds and FLOPs of `steps` steps, with a look after every `every`."""
    looks = steps / every
    return (
      self.start_seconds
      + steps * self.step_seconds
      + looks * self.look_seconds,
      steps * self.step_flops + looks * self.look_flops,
    )


def key(settings: settings_lib.Settings) -> str:
  """A key that is equal for runs of the same program on this machine."""
  tree = settings_lib.to_dict(settings)
  for name in _FREE:
    del tree[name]
  tree['optimizer'].pop('learning_rate')
  tree['evaluation'].pop('every_steps')
  tree['diagnostics'].pop('every_steps')
  record = [tree, sharing.code(), platform.node(), os.cpu_count()]
  text = json.dumps(record, sort_keys=True)
  return hashlib.sha256(text.encode()).hexdigest()[:24]


def cache() -> pathlib.Path:
  """The folder of measurements."""
  base = os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache')
  return pathlib.Path(base) / 'plasticity_rl' / 'steps'


def cost(
  study: study_lib.Study,
  overrides: Mapping[str, Any],
  settings: settings_lib.Settings,
) -> Cost | str:
  """The cost of a program, measured unless it is in the cache.

  Returns:
    The cost, or the reason why it cannot be measured.
  """
  path = cache() / f'{key(settings)}.json'
  try:
    return Cost(**json.loads(path.read_text()))
  except (OSError, ValueError, TypeError):
    pass
  found = _measure(study, overrides, settings)
  if isinstance(found, Cost):
    try:
      path.parent.mkdir(parents=True, exist_ok=True)
      path.write_text(json.dumps(dataclasses.asdict(found)))
    except OSError as error:
      logging.warning('the measurement cannot be kept: %s', error)
  return found


def probe(settings: settings_lib.Settings) -> dict[str, Any]:
  """Overrides for the short run that is measured."""
  envs = getattr(settings.environment, 'num_envs', 1)
  segment = min(settings.segment_steps, _LONGEST_SEGMENT // envs * envs)
  short = {
    'num_steps': _SEGMENTS * segment,
    'segment_steps': segment,
    'evaluation.every_steps': 2 * segment,
    'diagnostics.every_steps': 2 * segment,
    'checkpoint.every_steps': _SEGMENTS * segment,
    'interventions': (),
    'log.progress': False,
  }
  replay = settings.replay
  if isinstance(replay, settings_lib.ReplayConfig):
    least = max(replay.batch_size, replay.n_step * envs)
    short['replay.min_size'] = min(least, replay.min_size)
    short['replay.priming_updates'] = 0
  return short


def _measure(study, overrides, settings):
  short = probe(settings)
  with tempfile.TemporaryDirectory() as folder:
    run = pathlib.Path(folder) / 'run'
    arguments = commands.train(
      study.source, str(run), {**study.common, **overrides, **short}
    )
    done = subprocess.run(
      [sys.executable, *arguments], capture_output=True, text=True
    )
    if done.returncode:
      lines = done.stderr.strip().splitlines() or ['it failed']
      return lines[-1].removeprefix('error: ')
    ledger = json.loads((run / 'ledger.json').read_text())
    with (run / 'metrics.csv').open(newline='') as file:
      rows = list(csv.DictReader(file))
  return from_records(rows, ledger, short['segment_steps'])


def from_records(
  rows: list[Mapping[str, str]], ledger: Mapping[str, float], segment: int
) -> Cost:
  """The cost of a program from the metrics and the ledger of its probe.

  Metrics are written after a segment and the look that may follow it. So the
  time from an even segment to the next is that of a segment, and the time from
  an odd segment to the next is that of a segment and a look. The first look
  compiles and is left out.

  Args:
    rows: of metrics.csv.
    ledger: of ledger.json.
    segment: steps of a segment.

  Returns:
    The cost.
  """
  at = {int(row['step']) // segment: row for row in rows}
  seconds = {i: float(row['seconds']) for i, row in at.items()}
  updates = {i: float(row['updates']) for i, row in at.items()}
  plain = min(seconds[3] - seconds[2], seconds[5] - seconds[4])
  looked = min(seconds[4] - seconds[3], seconds[6] - seconds[5])
  steps = _SEGMENTS * segment
  per_update = ledger['update_flops'] / max(updates[6], 1)
  # A ledger counts one seed; all seeds run in one program.
  seeds = len({row['seed'] for row in rows})
  return Cost(
    step_seconds=plain / segment,
    look_seconds=max(0.0, looked - plain),
    start_seconds=max(0.0, seconds[2] - 2 * plain),
    step_flops=seeds
    * (
      ledger['act_flops'] / steps
      + per_update * (updates[6] - updates[4]) / (2 * segment)
    ),
    look_flops=seeds * ledger['evaluation_flops'] / (_SEGMENTS // 2),
    when=time.strftime('%Y-%m-%d %H:%M'),
  )


def describe(launches: Sequence[Any]) -> str:
  """Describes the FLOPs and hours of all jobs that are left, in some lines."""
  lines, total = [], 0.0
  for launch in launches:
    hours, found = _describe(launch)
    total += hours
    lines += [f'{launch.part}: {x}' if launch.part else x for x in found]
  if len(launches) > 1:
    lines.append(f'all parts: {total:.2g} h one after the other')
  return '\n'.join(lines)


def _describe(launch):
  """Hours of a launch, and lines about them."""
  costs: dict[str, Cost | str] = {}
  hours = flops = 0.0
  unknown = 0
  whens = []
  for name in launch.todo:
    spec = launch.jobs[name]
    settings = settings_lib.resolve(spec['config'])
    program = key(settings)
    if program not in costs:
      costs[program] = cost(launch.study, _of_program(spec), settings)
    found = costs[program]
    if isinstance(found, str):
      unknown += 1
      continue
    whens.append(found.when)
    steps = spec['end'] - spec['past_step']
    if spec['kind'] == 'diagnose':
      steps = spec['arms'] * spec['horizon'] + (
        0 if spec['past'] else spec['end']
      )
    s, f = found.of(steps, settings.evaluation.every_steps)
    hours, flops = hours + s / 3600, flops + f
  lines = []
  if whens:
    when = (
      min(whens)
      if min(whens) == max(whens)
      else (f'{min(whens)} to {max(whens)}')
    )
    lines.append(
      f'estimate: {flops:.2g} FLOPs, {hours:.2g} h one after the other, '
      f'from steps measured on this machine, {when}'
    )
    known = [c for c in costs.values() if isinstance(c, Cost)]
    per_seed = max(c.step_seconds for c in known) / max(
      1, launch.study.runs[0].settings.num_seeds
    )
    saving = sharing.describe(launch.plan, per_seed)
    if saving:
      lines.append(saving)
  for text in dict.fromkeys(c for c in costs.values() if isinstance(c, str)):
    lines.append(f'no estimate for {unknown} jobs: {text}')
  return hours, lines


def _of_program(spec):
  """The overrides that determine the program of a job."""
  return {
    k: v for k, v in spec['overrides'].items() if not k.startswith('fork.')
  }
