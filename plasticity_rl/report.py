"""Reports on runs, diagnoses, studies, or scores from elsewhere.

  python -m plasticity_rl.report DIAGNOSIS_DIR [--out=DIR] [--videos]
      verdict.json and report.html: is the agent losing plasticity? With
      --videos the page also shows each arm at play
  python -m plasticity_rl.report RUN_DIR... --out=DIR
      summary.csv and report.html: learning curves and IQM over the runs
  python -m plasticity_rl.report STUDY_DIR --out=DIR
      summary.csv, scores.csv and report.html of all runs of a study, and
      claims.csv: what became of the claims that its file makes
  python -m plasticity_rl.report TALK_DIR --out=DIR [--scores=FILE.csv]
      report.html and claims.csv: what became of each claim of a study of
      studies, and published scores beside it
  python -m plasticity_rl.report --scores=FILE.csv [--out=DIR]
      summary.csv: IQM with its interval for each algorithm and arm

FILE.csv needs the columns algorithm, arm, task, seed, return. With
--human_normalized, scores of Atari games are first scaled so that a random
player has 0 and a human player has 1.
"""

import pathlib

from absl import flags

from plasticity_rl import cli
from plasticity_rl import diagnosis_folder
from plasticity_rl import paths
from plasticity_rl.errors import UserError

# Imports only absl and errors, since --help must be fast. Modules that need
# numpy or matplotlib are imported inside functions.

_OUT = flags.DEFINE_string(
  'out',
  None,
  'Folder to write to. Without it, the report of a diagnosis is written '
  'into its folder, and scores are only printed.',
)
_SCORES = flags.DEFINE_string(
  'scores', None, 'CSV file with columns algorithm, arm, task, seed, return.'
)
_METRIC = flags.DEFINE_string(
  'metric',
  None,
  'Column of metrics.csv to compare; by default config.fork.metric of a '
  'diagnosis, or eval/return.',
)
_MARGIN = flags.DEFINE_float(
  'margin',
  None,
  'Smallest gain that matters, in units of the metric; by default '
  'config.fork.margin of the diagnosis.',
)
_VIDEOS = flags.DEFINE_bool(
  'videos',
  False,
  "Show each arm of a diagnosis at play, by its newest checkpoint's agent. The "
  'agents are run for it, and nothing is trained.',
)
_INTERVAL = flags.DEFINE_enum(
  'interval',
  'stratified',
  ['stratified', 'pooled'],
  'How the bootstrap of the IQM resamples. stratified: runs within each task, '
  'as in rliable, which says what other seeds on these tasks would give; '
  'pooled: all run x task scores, as if the tasks were a sample too (as in '
  'Nikishin et al. 2022), which is wider.',
)


_HUMAN = flags.DEFINE_bool(
  'human_normalized',
  False,
  'Scale scores of Atari games to '
  '(score - random player) / (human player - random player).',
)


def main(argv: list[str]) -> None:
  """Reports on the folders or the scores of the command line.

  Raises:
    UserError: flags and folders do not fit together, or a file is not valid.
  """
  folders = argv[1:]
  for folder in folders:
    paths.given('a folder', folder)
  if _OUT.value is not None:
    paths.given('--out', _OUT.value)
  is_diagnosis = any(map(diagnosis_folder.arms, folders))
  if _VIDEOS.value and not is_diagnosis:
    raise UserError('--videos is for a diagnosis; `watch` films a run')
  if any((pathlib.Path(f) / 'talk.json').is_file() for f in folders):
    _report_talk(folders)
  elif _SCORES.value is not None:
    if folders:
      raise UserError(f'give --scores or run folders, not both: {folders[0]}')
    _report_scores()
  elif not folders:
    raise UserError('give run folders or --scores=FILE.csv; see --help')
  elif any((pathlib.Path(f) / 'study.json').is_file() for f in folders):
    _report_study(folders)
  elif is_diagnosis:
    _report_diagnosis(folders)
  else:
    _report_runs(folders)


def _report_scores() -> None:
  _refuse('a diagnosis or runs', metric=_METRIC, margin=_MARGIN)
  from plasticity_rl.analysis import report

  written = report.scores(
    cli.require('scores', _SCORES.value),
    _OUT.value,
    interval=_INTERVAL.value,
    human_normalized=_HUMAN.value,
  )
  print(written.text)
  if written.path:
    print(f'summary: {written.path}')


def _report_diagnosis(folders: list[str]) -> None:
  _refuse_human_normalized()
  if len(folders) > 1:
    raise UserError('report a diagnosis folder on its own, not with others')
  from plasticity_rl.analysis import report

  verdict = report.diagnosis(
    folders[0],
    _OUT.value,
    metric=_METRIC.value,
    margin=_MARGIN.value,
    films=lambda: _films(folders[0]) if _VIDEOS.value else {},
  )
  print(verdict.table())
  print(f'verdict: {verdict.line}')
  print(f'report: {pathlib.Path(_OUT.value or folders[0]) / "report.html"}')


def _films(folder: str) -> dict[str, bytes]:
  """A film of each arm of a diagnosis, control first."""
  from plasticity_rl.videos import film

  arms = diagnosis_folder.arms(folder)
  return {
    name: film.take(arms[name], episodes=3, max_steps=100).gif
    for name in sorted(arms, key=lambda name: (name != 'control', name))
  }


def _out_of(folders: list[str], what: str) -> str:
  """--out, which is needed; several folders are refused."""
  if len(folders) > 1:
    raise UserError(f'report {what} on its own, not with other folders')
  if _OUT.value is None:
    raise UserError('give --out=DIR to say where the report goes')
  out: str = _OUT.value
  return out


def _report_talk(folders: list[str]) -> None:
  _refuse('a diagnosis', margin=_MARGIN)
  _refuse('a study: a talk says the metric of each claim', metric=_METRIC)
  _refuse_human_normalized()
  out = _out_of(folders, 'a talk')
  from plasticity_rl.analysis import report

  text, path = report.talk(
    folders[0],
    out,
    scores_file=_SCORES.value,
    interval=_INTERVAL.value,
  )
  print(text)
  print(f'report: {path}')


def _report_study(folders: list[str]) -> None:
  _refuse('a diagnosis', margin=_MARGIN)
  _refuse_human_normalized()
  out = _out_of(folders, 'a study')
  from plasticity_rl.analysis import report

  written = report.study(folders[0], out, metric=_METRIC.value)
  print(written.text)
  print(f'report: {written.path}')


def _report_runs(folders: list[str]) -> None:
  _refuse('a diagnosis', margin=_MARGIN)
  if _OUT.value is None:
    raise UserError('give --out=DIR to say where the report goes')
  from plasticity_rl.analysis import report

  written = report.runs(
    folders,
    _OUT.value,
    metric=_METRIC.value,
    interval=_INTERVAL.value,
    human_normalized=_HUMAN.value,
  )
  print(written.text)
  print(f'report: {written.path}')


def _refuse_human_normalized() -> None:
  if _HUMAN.value:
    raise UserError(
      '--human_normalized is for runs and --scores (of a study, report its '
      'scores.csv)'
    )


def _refuse(what: str, **given: flags.FlagHolder) -> None:
  """Refuses flags that would have no effect."""
  for name, holder in given.items():
    if holder.value is not None:
      raise UserError(f'--{name} is for {what}')


if __name__ == '__main__':
  cli.run(main)
