"""`metrics.csv` as numpy columns, checked while it is read."""

import csv
import dataclasses
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np

from plasticity_rl.errors import UserError
from plasticity_rl.errors import nearest

KEYS = ('seed', 'step')
# Columns of metrics.csv that count what a run did; the others are metrics.
_COUNTS = (*KEYS, 'frames', 'updates', 'seconds')


@dataclasses.dataclass(frozen=True)
class Series:
  """One metric of a run, per seed.

  Attributes:
    metric: its column.
    seeds: sorted, `[S]`.
    steps: where any seed has a value, sorted, `[T]`.
    values: `[S, T]`, NaN where `measured` is false.
    measured: `[S, T]`; false where the cell was empty or the row missing.
      A value that is NaN by itself (a loss that diverged) is measured.
  """

  metric: str
  seeds: np.ndarray
  steps: np.ndarray
  values: np.ndarray
  measured: np.ndarray

  def between(self, after: float, until: float) -> 'Series':
    """The points with after < step <= until."""
    keep = (self.steps > after) & (self.steps <= until)
    return dataclasses.replace(
      self,
      steps=self.steps[keep],
      values=self.values[:, keep],
      measured=self.measured[:, keep],
    )

  def as_one_seed(self) -> 'Series':
    """The mean over what was measured, as of the first seed alone."""
    return dataclasses.replace(
      self,
      seeds=self.seeds[:1],
      values=np.mean(self.values, 0, keepdims=True, where=self.measured),
      measured=np.ones((1, len(self.steps)), bool),
    )


@dataclasses.dataclass(frozen=True)
class Table:
  """Columns of equal length, one row a (seed, step) point.

  Attributes:
    path: the file it came from, for messages.
    columns: name -> float64 `[rows]`, NaN where the cell was empty.
    measured: name -> bool `[rows]`, false where the cell was empty.
  """

  path: pathlib.Path
  columns: Mapping[str, np.ndarray]
  measured: Mapping[str, np.ndarray]

  def __len__(self) -> int:
    return len(self.columns['step'])

  @property
  def metrics(self) -> tuple[str, ...]:
    """Columns that were measured at least once, in file order."""
    return tuple(
      n for n in self.columns if n not in _COUNTS and self.measured[n].any()
    )

  @property
  def seeds(self) -> np.ndarray:
    return np.unique(self.columns['seed']).astype(int)

  def series(self, metric: str) -> Series:
    """The values of one metric by seed and step."""
    if metric not in self.columns:
      known = [n for n in self.columns if n not in _COUNTS]
      raise UserError(f'{self.path}: {nearest("metric", metric, known)}')
    has = self.measured[metric]
    seeds = self.seeds
    steps = np.unique(self.columns['step'][has]).astype(int)
    values = np.full((len(seeds), len(steps)), np.nan)
    measured = np.zeros(values.shape, bool)
    where = (
      np.searchsorted(seeds, self.columns['seed'][has]),
      np.searchsorted(steps, self.columns['step'][has]),
    )
    values[where] = self.columns[metric][has]
    measured[where] = True
    return Series(metric, seeds, steps, values, measured)


def empty(path: pathlib.Path) -> Table:
  """A table without rows, for a run that kept no metrics."""
  nothing = {name: np.zeros(0) for name in KEYS}
  return Table(path, nothing, {n: np.zeros(0, bool) for n in KEYS})


def read_rows(
  path: str | pathlib.Path,
  required: Sequence[str],
  *,
  skip: int = 0,
  twice: str = '',
) -> tuple[list[str], list[tuple[int, list[str]]]]:
  """Header and (line number, cells) of a csv file, checked for its shape.

  Args:
    path: of the file.
    required: columns that it must have.
    skip: lines before the header.
    twice: what to say of a column that stands there twice.
  """
  path = pathlib.Path(path)
  try:
    with path.open(newline='', encoding='utf-8-sig') as file:
      for _ in range(skip):
        file.readline()
      reader = csv.reader(file)
      header = [c.strip() for c in next(reader, [])]
      rows = [(skip + reader.line_num, row) for row in reader if row]
  except FileNotFoundError:
    raise UserError(f'no such file: {path}') from None
  except (OSError, UnicodeDecodeError, csv.Error) as error:
    raise UserError(f'cannot read {path}: {error}') from None
  if not header:
    raise UserError(f'{path} is empty')
  missing = [c for c in required if c not in header]
  if missing:
    raise UserError(
      f'{path} has no column {missing[0]!r}; needed: {", ".join(required)};'
      f' found: {", ".join(header)}'
    )
  doubled = [c for c in header if header.count(c) > 1]
  if doubled:
    raise UserError(
      f'{path} has column {doubled[0]!r} twice' + f': {twice}' * bool(twice)
    )
  if not rows:
    raise UserError(f'{path} has a header but no rows')
  for line, row in rows:
    if len(row) != len(header):
      raise UserError(
        f'{path}, line {line}: {len(row)} cells under a header of {len(header)}'
      )
  return header, rows


def number(cell: str, path: pathlib.Path, line: int, column: str) -> float:
  """A cell as a float; an error that says where it stands otherwise."""
  try:
    return float(cell)
  except ValueError:
    raise UserError(
      f'{path}, line {line}, column {column!r}: {cell!r} is not a number'
    ) from None


def read_metrics(path: str | pathlib.Path) -> Table:
  """Reads and checks a `metrics.csv`.

  Raises:
    UserError: naming the file, line and column of what is wrong: a missing
      file or column, no rows, a cell that is not a number, a seed or step that
      is not a whole number, a (seed, step) point given twice.
  """
  path = pathlib.Path(path)
  header, rows = read_rows(path, KEYS)
  columns, measured = {}, {}
  for i, name in enumerate(header):
    cells = [row[i].strip() for _, row in rows]
    has = np.array([c != '' for c in cells])
    columns[name] = np.array(
      [
        number(c, path, line, name) if c else np.nan
        for c, (line, _) in zip(cells, rows, strict=True)
      ]
    )
    measured[name] = has
  for name in KEYS:
    whole = columns[name] == np.round(columns[name])  # False for NaN.
    if not np.all(whole & np.isfinite(columns[name])):
      at = int(np.argmin(whole & np.isfinite(columns[name])))
      raise UserError(
        f'{path}, line {rows[at][0]}, column {name!r}: a whole number is'
        f' needed, found {rows[at][1][header.index(name)]!r}'
      )
  seen = set()
  points = zip(columns['seed'], columns['step'], strict=True)
  for (line, _), point in zip(rows, points, strict=True):
    if point in seen:
      raise UserError(
        f'{path}, line {line}: seed {int(point[0])}, step {int(point[1])}'
        ' stands there twice'
      )
    seen.add(point)
  return Table(path, columns, measured)
