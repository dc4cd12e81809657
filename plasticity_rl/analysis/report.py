"""Reads everything, checks everything, and only then writes a report.

The pages are imported where they are built: matplotlib takes a second to come,
and a mistake in the folders should be told before.
"""

import json
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from plasticity_rl.analysis import files
from plasticity_rl.analysis import runs as run_folders
from plasticity_rl.analysis.curves import comparison
from plasticity_rl.analysis.curves import question as question_lib
from plasticity_rl.analysis.study import human_normalized as human
from plasticity_rl.analysis.study import scores as scoring
from plasticity_rl.analysis.study import study as studies
from plasticity_rl.analysis.study import talk_results
from plasticity_rl.analysis.verdict import diagnosis as diagnoses
from plasticity_rl.analysis.verdict import proxies as proxies_lib
from plasticity_rl.analysis.verdict import verdict as verdicts

_DRAWN = {
  kind: f'the interval is a 95 % bootstrap {drawn} ({kind})'
  for kind, drawn in (
    ('pooled', 'of all run x task scores as one pool'),
    ('stratified', 'of runs within each task'),
  )
}


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
  films: Callable[[], Mapping[str, bytes]] = dict,
) -> verdicts.Verdict:
  """Judges a diagnosis folder; writes `verdict.json` and `report.html`.

  Args:
    folder: with `prefix/` and `arms/NAME/`.
    out: where to write; the folder itself by default.
    metric: see `diagnosis.load`.
    margin: see `diagnosis.load`.
    films: called once all is checked, for an animated GIF of each arm that the
      page is to show at play.
  """
  out = files.check_folder(folder if out is None else out)
  loaded = diagnoses.load(folder, metric=metric, margin=margin)
  _write_diagnosis(loaded, out, films())
  return loaded.verdict


def _write_diagnosis(
  loaded: diagnoses.Diagnosis,
  out: pathlib.Path,
  films: Mapping[str, bytes] | None = None,
) -> None:
  from plasticity_rl.analysis.pages import diagnosis_page

  record = json.dumps(loaded.verdict.to_json(), indent=2, allow_nan=False)
  page = diagnosis_page.build(loaded, films)
  files.write_all(out, {'verdict.json': record + '\n', 'report.html': page})


def curves(
  given: Sequence[str | pathlib.Path],
  out: str | pathlib.Path,
  question: question_lib.Question,
) -> verdicts.Verdict:
  """Judges curves from elsewhere; writes `verdict.json` and `report.html`.

  Args:
    given: files and folders.
    out: where to write.
    question: how to read them, and what to compare.
  """
  out = files.check_folder(out)
  loaded = comparison.load(given, question)
  _write_diagnosis(loaded, out)
  return loaded.verdict


def proxies(folder: str | pathlib.Path) -> proxies_lib.Proxies:
  """Compares the forks of `diagnose --proxies`.

  Writes `proxies.csv`, `proxies.json` and `proxies.html` there.
  """
  folder = files.check_folder(folder)
  loaded = proxies_lib.load(folder)
  from plasticity_rl.analysis.pages import proxies_page

  record = json.dumps(loaded.to_json(), indent=2, allow_nan=False)
  files.write_all(
    folder,
    {
      'proxies.csv': loaded.to_csv(),
      'proxies.json': record + '\n',
      'proxies.html': proxies_page.build(loaded),
    },
  )
  return loaded


def runs(
  folders: Sequence[str | pathlib.Path],
  out: str | pathlib.Path,
  *,
  metric: str | None = None,
  interval: str = 'stratified',
  human_normalized: bool = False,
) -> Written:
  """Compares plain runs; writes `summary.csv` and `report.html`.

  Args:
    folders: run folders; seeds of equal configs are pooled.
    out: where to write.
    metric: column of metrics.csv; eval/return by default.
    interval: see `scores.summarise`.
    human_normalized: whether to put Atari games on one scale, which all tasks
      then have to be.
  """
  out = files.check_folder(out)
  metric = metric or diagnoses.DEFAULT_METRIC
  loaded = [run_folders.load(f) for f in folders]
  groups = run_folders.group(loaded, metric)
  if human_normalized:
    groups = human.of_groups(groups, metric)
    metric = f'human-normalised {metric}'
  values = scoring.from_groups(groups)
  rows = scoring.summarise(values, resampling=interval)
  notes = scoring.notes(values, rows)
  if not human_normalized:
    notes += _of_scale(values)
  from plasticity_rl.analysis.pages import runs_page

  page = runs_page.build(
    loaded, groups, rows, metric=metric, resampling=interval, notes=notes
  )
  summary = scoring.to_csv(rows)
  _, path = files.write_all(out, {'summary.csv': summary, 'report.html': page})
  return Written(rows, _text(rows, notes, interval), path)


def study(
  folder: str | pathlib.Path,
  out: str | pathlib.Path,
  *,
  metric: str | None = None,
) -> Written:
  """Reports on a study: `report.html`, `summary.csv`, `scores.csv`.

  And `claims.csv`, if it has claims: these are decided by their own metrics.

  Args:
    folder: that a launcher made.
    out: where to write.
    metric: column of metrics.csv; by default that of the fork, or eval/return.
  """
  out = files.check_folder(out)
  part = talk_results.read_part(folder)
  loaded = part.study
  if metric is not None:
    loaded = studies.load(folder, metric=metric)
  from plasticity_rl.analysis.pages import study_page
  from plasticity_rl.analysis.study import tables as study_tables

  values = study_tables.as_scores(loaded)
  rows = scoring.summarise(values, resampling='stratified')
  notes = [
    f'{m.name} is {m.state}' + f': {m.error}' * bool(m.error)
    for m in loaded.missing
  ]
  if len(loaded.tasks) > 1:
    notes.append(
      'scores of different tasks are taken as they are here and in'
      ' summary.csv; report.html puts them on one scale'
    )
  table = files.csv_text(
    scoring.COLUMNS,
    [(v.algorithm, v.arm, v.task, v.seed, v.value) for v in values],
  )
  text = _text(rows, notes, 'stratified')
  written = {'summary.csv': scoring.to_csv(rows), 'scores.csv': table}
  if part.judged:
    text += '\n\n' + talk_results.to_text([part])
    written['claims.csv'] = talk_results.to_csv([part])
  written['report.html'] = study_page.build(loaded, part.file, part.judged)
  *_, path = files.write_all(out, written)
  return Written(rows, text, path)


def talk(
  folder: str | pathlib.Path,
  out: str | pathlib.Path,
  *,
  scores_file: str | pathlib.Path | None = None,
  interval: str = 'stratified',
) -> tuple[str, pathlib.Path]:
  """Reports on a talk: `report.html`, `claims.csv`, `cases.svg`, `cases.png`.

  Args:
    folder: that launch.local made.
    out: where to write.
    scores_file: published scores to set beside it; see `scores`.
    interval: of those; see `scores.summarise`.

  Returns:
    The claims as text, and the path of the page.
  """
  out = files.check_folder(out)
  loaded = talk_results.load(folder)
  from plasticity_rl.analysis.pages import cases
  from plasticity_rl.analysis.pages import talk_page

  published = None
  if scores_file is not None:
    values = scoring.read(scores_file)
    rows = scoring.summarise(values, resampling=interval)
    notes = scoring.notes(values, rows) + [_DRAWN[interval]]
    published = talk_page.Published(rows, str(scores_file), notes)
  panels = cases.panels(loaded)
  written = {'claims.csv': talk_results.to_csv(loaded.parts)}
  if panels:
    written |= cases.pictures(panels, loaded.talk.headline)
  written['report.html'] = talk_page.build(loaded, panels, published)
  *_, path = files.write_all(out, written)
  return talk_results.to_text(loaded.parts, loaded.without), path


def scores(
  path: str | pathlib.Path,
  out: str | pathlib.Path | None = None,
  *,
  interval: str = 'stratified',
  human_normalized: bool = False,
) -> Written:
  """Summarises a file of scores; writes `summary.csv` if `out` is given.

  Args:
    path: a csv file with the columns of `scores.COLUMNS`.
    out: where to write, if anywhere.
    interval: see `scores.summarise`.
    human_normalized: see `runs`.
  """
  if out is not None:
    files.check_folder(out)
  values = scoring.read(path)
  notes = [] if human_normalized else _of_scale(values)
  if human_normalized:
    values = human.of_scores(values)
  rows = scoring.summarise(values, resampling=interval)
  text = _text(rows, scoring.notes(values, rows) + notes, interval)
  if out is None:
    return Written(rows, text, None)
  [written] = files.write_all(out, {'summary.csv': scoring.to_csv(rows)})
  return Written(rows, text, written)


def _of_scale(values: Sequence[scoring.Score]) -> list[str]:
  """Said of several Atari games, whose points are not worth the same."""
  tasks = {s.task for s in values}
  if len(tasks) < 2 or not all(map(human.is_atari, tasks)):
    return []
  return [
    'the points of these games are summed as they are; '
    '--human_normalized puts them on one scale'
  ]


def _text(
  rows: Sequence[scoring.Summary], notes: Sequence[str], interval: str
) -> str:
  notes = [_DRAWN[interval], *notes]
  return '\n'.join([scoring.to_text(rows), *(f'note: {n}' for n in notes)])
