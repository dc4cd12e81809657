"""Learning curves of runs side by side: a figure, the numbers, where from.

  python -m benchmarks.curves NAME TITLE LABEL=RUN [LABEL=RUN ...]

RUN is a run folder, or several of other seeds joined by commas; an arm of a
diagnosis is one as well. Writes results/NAME/: `README.md` with the mean
evaluation return over seeds and Student's 95 % interval at some steps,
`curves.svg`, `returns.csv` with every evaluation, and the commands, commits and
wall times of the runs.
"""

import csv
import re
import sys

import numpy as np

from benchmarks import studies
from plasticity_rl.analysis import runs as runs_lib
from plasticity_rl.analysis.pages import curves as curves_lib
from plasticity_rl.analysis.pages import svg
from plasticity_rl.analysis.verdict import statistics

METRIC = 'eval/return'
COLUMNS = 5


def curve(label: str, color: int, runs: list[runs_lib.Run]) -> curves_lib.Curve:
  """Of all seeds, at the steps that all of them have."""
  all_series = [run.table.series(METRIC) for run in runs]
  steps = all_series[0].steps
  for series in all_series[1:]:
    steps = np.intersect1d(steps, series.steps)
  values = [s.values[:, np.isin(s.steps, steps)] for s in all_series]
  return curves_lib.Curve(label, color, steps, np.concatenate(values))


def row(curve: curves_lib.Curve, steps: list[int]) -> dict[str, str]:
  """Mean and interval at these steps."""
  mean, low, high = curve.bands()
  digits = 0 if np.abs(mean).max() >= 100 else 1
  found = {'run': curve.name, 'seeds': str(len(curve.values))}
  for step in steps:
    at = np.flatnonzero(curve.steps == step)
    if len(at):
      i = int(at[0])
      found[f'{step:,}'] = f'{mean[i]:.{digits}f}' + (
        f' [{low[i]:.{digits}f}, {high[i]:.{digits}f}]'
        if np.isfinite(low[i])
        else ''
      )
  return found


def against(first: curves_lib.Curve, other: curves_lib.Curve) -> str:
  """Mean over all evaluations, other minus first, paired by seed."""
  steps = np.intersect1d(first.steps, other.steps)
  difference = other.values[:, np.isin(other.steps, steps)].mean(
    1
  ) - first.values[:, np.isin(first.steps, steps)].mean(1)
  mean, low, high = statistics.student_interval(difference)
  return f'{mean:+.0f} [{low:+.0f}, {high:+.0f}]'


def origin(label: str, run: runs_lib.Run) -> str:
  """A line of Markdown on where a run comes from."""
  commit = str(run.record['git_revision'])[:7]
  command = re.sub(r'--workdir=\S*/', '--workdir=runs/', run.record['command'])
  return (
    f'- {label}: `{command}`, commit {commit}, '
    f'{runs_lib.seconds(run) / 60:.0f} min'
  )


def main() -> None:
  name, title, *words = sys.argv[1:]
  labelled = {
    label: [runs_lib.load(path) for path in paths.split(',')]
    for label, paths in (word.split('=', 1) for word in words)
  }
  curves = [
    curve(label, i, runs) for i, (label, runs) in enumerate(labelled.items())
  ]
  longest = max((c.steps for c in curves), key=len)
  picked = np.linspace(0, len(longest) - 1, COLUMNS).round().astype(int)
  steps = [int(longest[i]) for i in dict.fromkeys(picked.tolist())]
  table = []
  for one in curves:
    cells = row(one, steps)
    same = one.values.shape[0] == curves[0].values.shape[0] > 1
    if one is not curves[0] and same:
      cells[f'all, minus {curves[0].name}'] = against(curves[0], one)
    table.append(cells)
  out = studies.RESULTS / name
  out.mkdir(parents=True, exist_ok=True)
  wide, _ = curves_lib.learning_curves(curves, name=name, metric=METRIC)
  (out / 'curves.svg').write_text(svg.standalone(wide))
  with (out / 'returns.csv').open('w', newline='') as file:
    writer = csv.writer(file)
    writer.writerow(('run', 'seed', 'step', METRIC))
    for label, runs in labelled.items():
      for run in runs:
        series = run.table.series(METRIC)
        writer.writerows(
          (label, int(seed), int(step), f'{value:.6g}')
          for seed, values in zip(series.seeds, series.values, strict=True)
          for step, value in zip(series.steps, values, strict=True)
        )
  lines = [
    f'# {title}',
    '',
    "Evaluation returns by environment step, mean over seeds and Student's "
    '95 % interval.',
    '',
    studies.table(table),
    '',
    '![Learning curves](curves.svg)',
    '',
    *(origin(label, run) for label, runs in labelled.items() for run in runs),
    '',
    f'Machine: {studies.machine()}, shared with other work.',
    '',
  ]
  (out / 'README.md').write_text('\n'.join(lines))
  print('\n'.join(lines))


if __name__ == '__main__':
  main()
