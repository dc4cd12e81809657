"""Files and folders of curves: which there are, and of which kind."""

import dataclasses
import pathlib
import re
from collections.abc import Sequence

from plasticity_rl import paths as paths_lib
from plasticity_rl.analysis import runs as run_folders
from plasticity_rl.analysis.curves import csv_files
from plasticity_rl.analysis.curves import events
from plasticity_rl.analysis.curves import names
from plasticity_rl.analysis.curves import other_files
from plasticity_rl.analysis.curves.curve import Curve
from plasticity_rl.analysis.curves.question import Question
from plasticity_rl.errors import UserError
from plasticity_rl.errors import nearest

_KINDS = (
  'a .csv file, evaluations.npz, an event file of TensorBoard, or a folder of'
  ' them or of runs'
)
# Names of files that do not tell a run: its folder does.
_PLAIN = ('monitor', 'evaluations', 'progress', 'metrics')
_NUMBERED = re.compile(r'\d+\.monitor\.csv')  # Of each environment of a run.


@dataclasses.dataclass(frozen=True)
class Found:
  """What was read.

  Attributes:
    curves: of the metric, arm and seed known, none of them twice.
    others: of other metrics of the same runs.
    metric: what is compared.
    forks: `fork.json` of our own runs.
  """

  curves: tuple[Curve, ...]
  others: tuple[Curve, ...]
  metric: str
  forks: tuple[dict, ...]


def read(given: Sequence[str | pathlib.Path], question: Question) -> Found:
  """Reads all curves of files and folders.

  Args:
    given: files, and folders that are searched.
    question: names the metric, or columns, or how runs are called.

  Raises:
    UserError: nothing there is a curve, something is broken, the metric is not
      there or not clear, a run's name does not tell its arm and seed, or two
      runs have both the same.
  """
  if not given:
    raise UserError(f'give the curves: {_KINDS}')
  roots = [paths_lib.given('a path of curves', path) for path in given]
  for root in roots:
    if not root.exists():
      raise UserError(f'no such file or folder: {root}')
  base = _common([r if r.is_dir() else r.parent for r in roots])
  own = [f for root in roots if root.is_dir() for f in _runs(root)]
  loaded = [run_folders.load(f) for f in own]
  if any(run.fork for run in loaded):  # The prefix is in no arm.
    loaded = [run for run in loaded if run.fork]
  curves = [
    c
    for run in loaded
    for c in other_files.curves_of_run(run, _name(run.path, base), question)
  ]
  if not own:
    for paths in _of_one_run(_files(roots)):
      curves += _read_files(paths, _name(paths[0], base), question)
  if not curves:
    where = ', '.join(map(str, roots))
    raise UserError(f'no curves in {where}; give {_KINDS}')
  curves = _of_task(curves, question.task)
  metric = _metric(curves, question)
  named = [
    c if c.arm is not None else _named(c, question.names)
    for c in curves
    if c.metric == metric
  ]
  _refuse_twice(named)
  return Found(
    tuple(named),
    _others(curves, named, metric),
    metric,
    tuple(run.fork for run in loaded if run.fork),
  )


def _common(folders: Sequence[pathlib.Path]) -> pathlib.Path:
  first, *rest = (f.resolve() for f in folders)
  while not all(f.is_relative_to(first) for f in rest):
    first = first.parent
  return first


def _runs(root: pathlib.Path) -> list[pathlib.Path]:
  folders = [root, *(p for p in root.rglob('*') if p.is_dir())]
  return sorted(f for f in folders if other_files.is_run(f))


def _is_curves(path: pathlib.Path) -> bool:
  return (
    path.suffix == '.csv'
    or path.name == 'evaluations.npz'
    or 'tfevents' in path.name
  )


def _files(roots: Sequence[pathlib.Path]) -> list[pathlib.Path]:
  """The files given, and those of the folders given that may be curves."""
  found = []
  for root in roots:
    if not root.is_dir():
      found.append(root)
      continue
    found += sorted(
      p
      for p in root.rglob('*')
      if p.is_file() and not p.name.startswith('.') and _is_curves(p)
    )
  return found


def _of_one_run(files: Sequence[pathlib.Path]) -> list[list[pathlib.Path]]:
  """Files one by one, but the `0.monitor.csv`, `1.monitor.csv`... of a run."""
  groups: dict[pathlib.Path, list[pathlib.Path]] = {}
  for path in files:
    numbered = _NUMBERED.fullmatch(path.name)
    groups.setdefault(path.parent if numbered else path, []).append(path)
  return list(groups.values())


def _name(path: pathlib.Path, base: pathlib.Path) -> str:
  """The name of a run: its path below `base`, without what all files have."""
  relative = path.resolve().relative_to(base)
  if path.is_dir():
    return relative.as_posix() if relative.parts else path.resolve().name
  stem = relative.name
  for ending in ('.csv', '.npz', '.monitor'):
    stem = stem.removesuffix(ending)
  plain = stem in _PLAIN or _NUMBERED.fullmatch(path.name)
  if plain or 'tfevents' in stem:
    parts = relative.parts[:-1] or (base.name,)
    return '/'.join(parts)
  return relative.with_name(stem).as_posix()


def _read_files(
  paths: Sequence[pathlib.Path], name: str, question: Question
) -> list[Curve]:
  if len(paths) > 1:
    return [csv_files.read_monitors(paths, name)]
  [path] = paths
  if path.suffix == '.npz':
    return [other_files.read_evaluations(path, name)]
  if 'tfevents' in path.name:
    return events.read(path, name)
  if path.suffix == '.csv':
    return csv_files.read(path, name, question)
  raise UserError(f'{path} is of no known kind: give {_KINDS}')


def _of_task(curves: Sequence[Curve], task: str | None) -> list[Curve]:
  tasks = sorted({c.task for c in curves})
  if task is not None:
    if task not in tasks:
      raise UserError(nearest('task', task, [t for t in tasks if t]))
    return [c for c in curves if c.task == task]
  if len(tasks) > 1:
    raise UserError(
      'a verdict is about one task: give --task, one of'
      f' {", ".join(repr(t) for t in tasks)}'
    )
  return list(curves)


def _metric(curves: Sequence[Curve], question: Question) -> str:
  """The metric that was asked for, or the one that must be meant."""
  known = list(dict.fromkeys(c.metric for c in curves))
  if question.metric is not None:
    if question.metric not in known:
      raise UserError(nearest('metric', question.metric, known))
    return question.metric
  usual = [m for m in question.usual if m in known]
  if usual or len(known) == 1:
    return (usual or known)[0]
  listed = ', '.join(sorted(known)[:12]) + ', ...' * (len(known) > 12)
  raise UserError(f'which metric? Give --metric, one of: {listed}')


def _named(curve: Curve, pattern: str | None) -> Curve:
  arm, seed = names.parse(curve.name, pattern)
  return dataclasses.replace(curve, arm=arm, seed=seed)


def _refuse_twice(curves: Sequence[Curve]) -> None:
  sources: dict[tuple[str | None, int | None], str] = {}
  for curve in curves:
    key = curve.arm, curve.seed
    if key in sources:
      raise UserError(
        f'two runs for {curve.run}: {sources[key]} and {curve.source}; give'
        ' each a seed of its own, or say by --names what tells them apart'
      )
    sources[key] = curve.source


def _others(
  curves: Sequence[Curve], named: Sequence[Curve], metric: str
) -> tuple[Curve, ...]:
  """The other metrics of the runs of `named`, of each run once."""
  runs = {c.name: (c.arm, c.seed) for c in named}
  found = {}
  for c in curves:
    arm, seed = (
      (c.arm, c.seed) if c.arm is not None else runs.get(c.name, (None, None))
    )
    if c.metric != metric and arm is not None:
      found[c.metric, arm, seed] = dataclasses.replace(c, arm=arm, seed=seed)
  return tuple(found.values())
