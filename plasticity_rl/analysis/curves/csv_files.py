"""CSV files of several programs as curves."""

import json
import math
import pathlib
import re
from collections.abc import Sequence

from plasticity_rl.analysis import tables
from plasticity_rl.analysis.curves import curve as curves_lib
from plasticity_rl.analysis.curves.curve import Curve
from plasticity_rl.analysis.curves.curve import Point
from plasticity_rl.analysis.curves.question import EPISODES
from plasticity_rl.analysis.curves.question import Question
from plasticity_rl.errors import UserError

Rows = Sequence[tuple[int, list[str]]]

# How programs call the step, the usual first.
_STEPS = (
  'step',
  'Step',
  'global_step',
  '_step',
  'time/total_timesteps',
  'total_timesteps',
  'timesteps',
)
_TENSORBOARD = ('Wall time', 'Step', 'Value')
_DOWNLOADED = re.compile(r'(?:run-)?(?P<run>.+)-tag-(?P<tag>.+)')
_WANDB = ' - '
_TWICE = (
  'are they two runs of one name? Rename one, and export again, or name the'
  ' columns apart'
)


def read(path: pathlib.Path, name: str, question: Question) -> list[Curve]:
  """The curves of a CSV file, whichever program wrote it.

  Args:
    path: of the file.
    name: of the run, if it holds one.
    question: may name columns.

  Raises:
    UserError: it is of no kind that is known, or is broken.
  """
  if _first_line(path).startswith('#{'):
    return [read_monitors([path], name)]
  header, rows = tables.read_rows(path, (), twice=_TWICE)
  if set(_TENSORBOARD) <= set(header):
    return [_tensorboard(path, name, header, rows)]
  if any(_WANDB in column for column in header):
    return _wandb(path, header, rows, question)
  keys = [question.column(k) for k in ('arm', 'seed', 'step')]
  if all(k in header for k in keys):
    return _long(path, header, rows, question)
  step = _step_column(header, question)
  if step is None or any(k in header for k in keys[:2]):
    raise UserError(
      f'{path}: expected the columns {", ".join(keys)} and a metric, such as'
      f' return; found: {", ".join(header)}. --columns=arm=NAME,step=NAME'
      ' gives them other names'
    )
  return [
    curves_lib.from_points(
      f'{path}, column {metric!r}',
      _points(path, header, rows, step, metric),
      name=name,
      metric=metric,
    )
    for metric in _metrics(header, rows, question, leave=(step,))
  ]


def _first_line(path: pathlib.Path) -> str:
  try:
    with path.open(encoding='utf-8-sig') as file:
      return file.readline()
  except FileNotFoundError:
    raise UserError(f'no such file: {path}') from None
  except (OSError, UnicodeDecodeError) as error:
    raise UserError(f'cannot read {path}: {error}') from None


def _step_column(header: Sequence[str], question: Question) -> str | None:
  if 'step' in question.columns:
    names: Sequence[str] = (question.columns['step'],)
  else:
    names = _STEPS
  return next((n for n in names if n in header), None)


def _points(
  path: pathlib.Path, header: Sequence[str], rows: Rows, step: str, metric: str
) -> list[Point]:
  """The points of a column; empty cells were not measured."""
  i, j = header.index(step), header.index(metric)
  return [
    Point(
      f'line {line}',
      tables.number(row[i], path, line, step),
      tables.number(row[j], path, line, metric),
    )
    for line, row in rows
    if row[j].strip()
  ]


def _metrics(
  header: Sequence[str], rows: Rows, question: Question, leave: Sequence[str]
) -> list[str]:
  """Columns that hold numbers, or that should: those to be compared."""
  wanted = question.metric, *question.usual
  found = []
  for j, column in enumerate(header):
    cells = [row[j].strip() for _, row in rows if row[j].strip()]
    if column in leave or not cells:
      continue
    # Of what is compared, the first cell that is no number is told.
    if column in wanted or all(map(_is_number, cells)):
      found.append(column)
  return found


def _is_number(cell: str) -> bool:
  try:
    float(cell)
  except ValueError:
    return False
  return True


def read_monitors(paths: Sequence[pathlib.Path], name: str) -> Curve:
  """Stable-Baselines3's `monitor.csv`: r, l and t of every episode.

  The step of an episode is where it ended: the sum of lengths so far, over all
  environments of the run, in the order of the times at which episodes ended.

  Args:
    paths: of the files, one for each environment of the run.
    name: of the run.

  Raises:
    UserError: a file is no such file.
  """
  episodes = []
  for path in paths:
    start = _start(path)
    header, rows = tables.read_rows(path, ('r', 'l', 't'), skip=1)
    for line, row in rows:
      value, length, time = (
        tables.number(row[header.index(k)], path, line, k) for k in 'rlt'
      )
      if not length >= 1:
        raise UserError(
          f"{path}, line {line}, column 'l': an episode has at least 1 step,"
          f' found {length}'
        )
      episodes.append((start + time, f'line {line}', length, value))
  if len(paths) > 1:
    episodes.sort(key=lambda e: e[0])
  step, points = 0.0, []
  for _, where, length, value in episodes:
    step += length
    points.append(Point(where, step, value))
  return curves_lib.from_points(
    str(paths[0]), points, name=name, metric=EPISODES
  )


def _start(path: pathlib.Path) -> float:
  """When the times of a `monitor.csv` begin."""
  try:
    record = json.loads(_first_line(path).removeprefix('#'))
    return float(record['t_start'])
  except (ValueError, KeyError, TypeError):
    raise UserError(
      f'{path}: the first line must be # and JSON with t_start, as'
      ' Stable-Baselines3 writes it'
    ) from None


def _tensorboard(
  path: pathlib.Path, name: str, header: Sequence[str], rows: Rows
) -> Curve:
  """TensorBoard's download: one metric of one run, both in the file's name."""
  found = _DOWNLOADED.fullmatch(pathlib.PurePosixPath(name).name)
  if found:
    folder = pathlib.PurePosixPath(name).parent
    name = (folder / found['run']).as_posix()
  return curves_lib.from_points(
    str(path),
    _points(path, header, rows, 'Step', 'Value'),
    name=name,
    metric=found['tag'] if found else 'Value',
    several_at_once=True,
  )


def _wandb(
  path: pathlib.Path, header: Sequence[str], rows: Rows, question: Question
) -> list[Curve]:
  """Weights & Biases' export of a chart: a column "RUN - METRIC" for each run.

  The least and largest of points that were thinned out are left out.
  """
  step = _step_column([c for c in header if _WANDB not in c], question)
  if step is None:
    raise UserError(
      f'{path}: no column of steps among {", ".join(header)}: export the chart'
      ' over steps, or name the column by --columns=step=NAME'
    )
  found = []
  for column in header:
    run, separator, metric = column.rpartition(_WANDB)
    extreme = metric.endswith(('__MIN', '__MAX'))
    if not separator or extreme or metric.startswith('_'):
      continue
    points = _points(path, header, rows, step, column)
    if points:
      found.append(
        curves_lib.from_points(
          f'{path}, column {column!r}', points, name=run, metric=metric
        )
      )
  return found


def _long(
  path: pathlib.Path, header: Sequence[str], rows: Rows, question: Question
) -> list[Curve]:
  """A row for each arm, seed and step; every other column is a metric."""
  arm, seed, step, task = (
    question.column(k) for k in ('arm', 'seed', 'step', 'task')
  )
  leave = (arm, seed, step, task)
  metrics = _metrics(header, rows, question, leave)
  at = {k: header.index(k) for k in leave if k in header}
  runs: dict[tuple[str, int, str], list[tuple[int, list[str]]]] = {}
  for line, row in rows:
    name = row[at[arm]].strip()
    number = tables.number(row[at[seed]], path, line, seed)
    if not name:
      raise UserError(f'{path}, line {line}, column {arm!r} is empty')
    if not (math.isfinite(number) and number == int(number)):
      raise UserError(
        f'{path}, line {line}, column {seed!r}: a whole number is needed,'
        f' found {row[at[seed]]!r}'
      )
    of = row[at[task]].strip() if task in at else ''
    runs.setdefault((name, int(number), of), []).append((line, row))
  return [
    curves_lib.from_points(
      f'{path}, arm {name!r}, seed {number}' + f', {of}' * bool(of),
      _points(path, header, run, step, metric),
      name=name,
      metric=metric,
      arm=name,
      seed=number,
      task=of,
    )
    for (name, number, of), run in runs.items()
    for metric in metrics
  ]
