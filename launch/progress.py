"""The progress of jobs, read from the metrics in their run folders."""

import csv
import dataclasses
import math
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from plasticity_rl import diagnosis_folder
from plasticity_rl.analysis import files
from plasticity_rl.analysis.study import talk as talks

from . import folder as folder_lib

RETURNS = ('eval/return', 'train/return')
SPARKS = '▁▂▃▄▅▆▇█'


@dataclasses.dataclass(frozen=True)
class Progress:
  """The progress of one job.

  Attributes:
    name: of the job.
    state: done, failed, running or waiting.
    done: steps made, for one seed, without its prefix.
    total: steps to make.
    rate: recent steps for each second; NaN if unknown.
    last: the last mean return over seeds; NaN if there is none.
    curve: mean returns over seeds, at every evaluation.
    host: the host that runs it, or ran it last.
    error: the last error; '' for none.
    log: the path of its output.
  """

  name: str
  state: str
  done: int
  total: int
  rate: float
  last: float
  curve: tuple[float, ...]
  host: str
  error: str
  log: str

  @property
  def left(self) -> float:
    """Seconds left; NaN if unknown."""
    if self.state == folder_lib.DONE:
      return 0.0
    return (self.total - self.done) / self.rate if self.rate else math.nan


def read(folder: pathlib.Path) -> list[Progress]:
  """Reads all jobs of a study: prefixes first, then runs in their order.

  Of a talk, those of all parts that were launched, as PART/NAME.

  Raises:
    UserError: the folder is neither a study nor a talk.
  """
  if (folder / talks.RECORD).exists():
    parts = files.read_json(folder / talks.RECORD)['parts']
    return [
      dataclasses.replace(job, name=f'{part}/{job.name}')
      for part in parts
      if (folder / part / folder_lib.STUDY).exists()
      for job in read(folder / part)
    ]
  study = folder_lib.read_study(folder)
  names = [*study['runs']]
  prefixes = sorted(
    path.name
    for path in (folder / folder_lib.JOBS).iterdir()
    if path.name.startswith(folder_lib.PREFIX_JOB)
  )
  return [_one(folder, name) for name in (*prefixes, *names)]


def title(folder: pathlib.Path) -> str:
  """The question of a study, or of a talk."""
  if (folder / talks.RECORD).exists():
    return files.read_json(folder / talks.RECORD)['title']
  return folder_lib.read_study(folder)['title']


def _one(folder, name):
  spec = folder_lib.read_spec(folder, name)
  state = folder_lib.read_state(folder, name)
  path = folder / spec['folder']
  start = spec['past_step']
  if spec['kind'] == 'diagnose':
    horizon, end = spec['horizon'], spec['end']
    total = spec['arms'] * horizon + (0 if spec['past'] else end)
    prefix = _points(path / diagnosis_folder.PREFIX)
    parts = [] if spec['past'] else [(prefix, 0)]
    arms = [_points(p) for p in diagnosis_folder.arms(path).values()]
    parts += [(points, end) for points in arms]
    shown = prefix + (max(arms, key=len) if arms else [])
  else:
    total = spec['end'] - start
    shown = _points(path)
    parts = [(shown, start)]
  done = sum(max(0, p[-1].step - first) for p, first in parts if p)
  if state['state'] == folder_lib.DONE:
    done = total
  curve = tuple(p.value for p in shown if math.isfinite(p.value))
  return Progress(
    name=name,
    state=state['state'],
    done=done,
    total=total,
    rate=_rate(parts),
    last=curve[-1] if curve else math.nan,
    curve=curve,
    host=str(state.get('host', '')),
    error=str(state.get('error', '')),
    log=str(state.get('log', '')),
  )


@dataclasses.dataclass(frozen=True)
class _Point:
  """A step, the seconds of the run until then, and the mean return."""

  step: int
  seconds: float
  value: float


def _points(folder: pathlib.Path) -> list[_Point]:
  """A run folder's metrics as means over seeds; [] if there are none yet."""
  try:
    with (folder / 'metrics.csv').open(newline='') as file:
      rows = list(csv.DictReader(file))
  except OSError:
    return []
  by_step: dict[int, tuple[float, list[float]]] = {}
  for row in rows:
    try:
      step, seconds = int(row['step']), float(row['seconds'])
    except (KeyError, TypeError, ValueError):
      continue  # A line that is being written.
    _, values = by_step.setdefault(step, (seconds, []))
    value = _return(row)
    if value is not None:
      values.append(value)
  return [
    _Point(step, seconds, sum(v) / len(v) if v else math.nan)
    for step, (seconds, v) in sorted(by_step.items())
  ]


def _return(row: Mapping[str, Any]) -> float | None:
  for name in RETURNS:
    if row.get(name):
      try:
        return float(row[name])
      except ValueError:
        return None
    if name in row:
      return None  # The run is evaluated, but not at this step.
  return None


def _rate(parts):
  """Steps for each second over the last half of the newest part."""
  points = next((p for p, _ in reversed(parts) if len(p) > 1), None)
  if points is None:
    return math.nan
  first, last = points[len(points) // 2 - (len(points) < 3)], points[-1]
  seconds = last.seconds - first.seconds
  return (last.step - first.step) / seconds if seconds > 0 else math.nan


def spark(values: Sequence[float], width: int = 16) -> str:
  """Draws a curve in one line of text."""
  values = [v for v in values if math.isfinite(v)]
  if not values:
    return ''
  step = max(1.0, len(values) / width)
  shown = [
    values[min(len(values) - 1, int((i + 1) * step) - 1)]
    for i in range(min(width, len(values)))
  ]
  low, high = min(shown), max(shown)
  span = (high - low) or 1.0
  return ''.join(SPARKS[int((v - low) / span * 7.999)] for v in shown)


def duration(seconds: float) -> str:
  """`42 s`, `7 min`, `3.2 h`, `5.1 d`; '' if unknown."""
  if not math.isfinite(seconds):
    return ''
  for size, unit in ((86_400, 'd'), (3600, 'h')):
    if seconds >= 1.5 * size:
      return f'{seconds / size:.1f} {unit}'
  return f'{seconds / 60:.0f} min' if seconds >= 90 else f'{seconds:.0f} s'
