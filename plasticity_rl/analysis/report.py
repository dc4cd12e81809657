"""Reads everything, checks everything, and only then writes a report.

The pages are imported where they are built: matplotlib takes a second to come,
and a mistake in the folders should be told before.
"""

import json
import pathlib
from collections.abc import Sequence
from typing import NamedTuple

from plasticity_rl.analysis import diagnosis as diagnoses
from plasticity_rl.analysis import files
from plasticity_rl.analysis import proxies as proxies_lib
from plasticity_rl.analysis import runs as run_folders
from plasticity_rl.analysis import scores as scoring
from plasticity_rl.analysis import verdict as verdicts


class Written(NamedTuple):
  """A summary of scores.

  Attributes:
    rows: as in `summary.csv`.
    text: the same as a table for the terminal, with notes below.
    path: of what was written to look at; None if nothing was.
  """

  rows: list[scoring.Summary]
  text: str
  path: pathlib.Path | None


def diagnosis(
    folder: str | pathlib.Path,
    out: str | pathlib.Path | None = None,
    *,
    metric: str | None = None,
    margin: float | None = None,
) -> verdicts.Verdict:
  """Judges a diagnosis folder; writes `verdict.json` and `report.html`.

  Args:
    folder: with `prefix/` and `arms/NAME/`.
    out: where to write; the folder itself by default.
    metric: see `diagnosis.load`.
    margin: see `diagnosis.load`.
  """
  out = files.check_folder(folder if out is None else out)
  loaded = diagnoses.load(folder, metric=metric, margin=margin)
  from plasticity_rl.analysis import diagnosis_page

  record = json.dumps(loaded.verdict.to_json(), indent=2, allow_nan=False)
  page = diagnosis_page.build(loaded)
  files.write_all(out, {'verdict.json': record + '\n', 'report.html': page})
  return loaded.verdict


def proxies(folder: str | pathlib.Path) -> proxies_lib.Proxies:
  """Compares the forks of `diagnose --proxies`.

  Writes `proxies.csv`, `proxies.json` and `proxies.html` there.
  """
  folder = files.check_folder(folder)
  loaded = proxies_lib.load(folder)
  from plasticity_rl.analysis import proxies_page

  record = json.dumps(loaded.to_json(), indent=2, allow_nan=False)
  files.write_all(folder, {
      'proxies.csv': loaded.to_csv(),
      'proxies.json': record + '\n',
      'proxies.html': proxies_page.build(loaded),
  })
  return loaded


def runs(
    folders: Sequence[str | pathlib.Path],
    out: str | pathlib.Path,
    *,
    metric: str | None = None,
    interval: str = 'pooled',
) -> Written:
  """Compares plain runs; writes `summary.csv` and `report.html`.

  Args:
    folders: run folders; seeds of equal configs are pooled.
    out: where to write.
    metric: column of metrics.csv; eval/return by default.
    interval: see `scores.summarise`.
  """
  out = files.check_folder(out)
  metric = metric or diagnoses.DEFAULT_METRIC
  loaded = [run_folders.load(f) for f in folders]
  groups = run_folders.group(loaded, metric)
  values = scoring.from_groups(groups)
  rows = scoring.summarise(values, resampling=interval)
  notes = scoring.notes(values, rows)
  from plasticity_rl.analysis import runs_page

  page = runs_page.build(
      loaded, groups, rows, metric=metric, resampling=interval, notes=notes
  )
  summary = scoring.to_csv(rows)
  _, path = files.write_all(
      out, {'summary.csv': summary, 'report.html': page}
  )
  return Written(rows, _text(rows, notes, interval), path)


def scores(
    path: str | pathlib.Path,
    out: str | pathlib.Path | None = None,
    *,
    interval: str = 'pooled',
) -> Written:
  """Summarises a file of scores; writes `summary.csv` if `out` is given.

  Args:
    path: a csv file with the columns of `scores.COLUMNS`.
    out: where to write, if anywhere.
    interval: see `scores.summarise`.
  """
  if out is not None:
    files.check_folder(out)
  values = scoring.read(path)
  rows = scoring.summarise(values, resampling=interval)
  text = _text(rows, scoring.notes(values, rows), interval)
  if out is None:
    return Written(rows, text, None)
  [written] = files.write_all(out, {'summary.csv': scoring.to_csv(rows)})
  return Written(rows, text, written)


def _text(
    rows: Sequence[scoring.Summary], notes: Sequence[str], interval: str
) -> str:
  drawn = {
      'pooled': 'of all run x task scores as one pool',
      'stratified': 'of runs within each task',
  }[interval]
  notes = [f'the interval is a 95 % bootstrap {drawn} ({interval})', *notes]
  return '\n'.join([scoring.to_text(rows), *(f'note: {n}' for n in notes)])
