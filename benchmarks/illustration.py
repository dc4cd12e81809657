"""The talk's first figure: fitting the values of one policy after another.

A DQN agent learns MinAtar Breakout; at ten points of its run, states of its
replay are kept with their Monte-Carlo values. Then networks fit the values of
each point in turn, 3000 updates each: one that goes on from point to point,
one that is drawn afresh for each, and one that goes on with an injection before
each. How many updates does each need until a given part of the variance of the
values is left?

  python -m benchmarks.illustration

writes results/illustration/; runs/illustration resumes.
"""

import csv
import pathlib
import subprocess
import sys

import numpy as np
from matplotlib import figure

from benchmarks import recorded
from benchmarks import studies
from configs import recorded_values
from plasticity_rl import diagnosis_folder
from plasticity_rl import revision
from plasticity_rl.analysis.verdict import statistics

EVERY = 30_000
POINTS = tuple(EVERY * (i + 1) for i in range(recorded_values.TASKS))
STATES = 1000
# Fixed before any was looked at. The figure was to show the middle one, which
# hardly any fit reached; it shows the first.
THRESHOLDS = (0.5, 0.2, 0.1)
ARMS = {
  'fresh': 'a fresh network for each',
  'control': 'the same network',
  'injection': 'the same with injections',
}


def updates_needed(path: pathlib.Path, threshold: float) -> np.ndarray:
  """Updates until the error is below, `[S, T]`; NaN if it never was."""
  task = recorded_values.TASK_STEPS
  needed = {}
  with path.open(newline='') as file:
    for row in csv.DictReader(file):
      if not row['eval/unexplained']:
        continue
      # The row at the end of a task belongs to it.
      point, within = divmod(int(row['step']) - 1, task)
      key = int(row['seed']), point
      needed.setdefault(key, np.nan)
      if np.isnan(needed[key]) and float(row['eval/unexplained']) < threshold:
        needed[key] = within + 1
  seeds = sorted({seed for seed, _ in needed})
  # The first point lies before the fork and is all arms'.
  return np.array(
    [
      [needed[seed, point] for point in range(1, recorded_values.TASKS)]
      for seed in seeds
    ]
  )


def main() -> None:
  agent = studies.RUNS / 'illustration' / 'agent'
  subprocess.run(
    [
      sys.executable,
      '-m',
      'plasticity_rl.train',
      '--config=configs/minatar.py:breakout,mlp',
      f'--workdir={agent}',
      '--config.seed=7001',
      f'--config.num_steps={POINTS[-1]}',
      '--config.replay.capacity=20000',
      '--config.replay.updates_per_step=1.0',
      f'--config.checkpoint.every_steps={EVERY}',
      f'--config.checkpoint.keep={len(POINTS)}',
    ],
    check=True,
  )
  path = studies.RUNS / 'illustration' / 'values.npz'
  if not path.exists():
    recorded.record(agent, POINTS, STATES, path)
  folder, command, seconds = studies.diagnose(
    'illustration/fit',
    '--config=configs/recorded_values.py',
    f'--config.environment.path={path}',
    '--config.seed=7101',
  )
  out = studies.RESULTS / 'illustration'
  out.mkdir(parents=True, exist_ok=True)
  task = recorded_values.TASK_STEPS
  rows = []
  image = figure.Figure(figsize=(6.4, 3.6), layout='constrained')
  axes = image.subplots()
  arms = diagnosis_folder.arms(folder)
  for arm, name in ARMS.items():
    for threshold in THRESHOLDS:
      needed = updates_needed(arms[arm] / 'metrics.csv', threshold)
      missed = np.isnan(needed)
      # What was not reached counts as the whole task: too little.
      filled = np.where(missed, task, needed)
      cells = [
        '{:.0f} [{:.0f}, {:.0f}]'.format(*statistics.student_interval(values))
        for values in (
          filled[:, 0],
          filled[:, -1],
          filled[:, -1] - filled[:, 0],
        )
      ]
      rows.append(
        {
          'network': name,
          'variance left': threshold,
          'second point': cells[0],
          'last point': cells[1],
          'last - second': cells[2],
          'not reached': f'{missed.sum()} of {missed.size}',
        }
      )
      if threshold == THRESHOLDS[0]:
        bands = np.array(
          [statistics.student_interval(column) for column in filled.T]
        )
        x = np.arange(2, recorded_values.TASKS + 1)
        (line,) = axes.plot(x, bands[:, 0], label=name, marker='o', ms=3)
        axes.fill_between(
          x, bands[:, 1], bands[:, 2], alpha=0.2, color=line.get_color()
        )
  axes.set_xlabel('point of the run whose values are fitted')
  axes.set_ylabel(f'updates until {THRESHOLDS[0]:g} of the variance is left')
  axes.set_ylim(bottom=0)
  axes.spines[['top', 'right']].set_visible(False)
  axes.legend(frameon=False)
  image.savefig(out / 'updates_needed.svg')
  (out / 'README.md').write_text(
    '\n'.join(
      [
        '# Fitting the values of one policy after another',
        '',
        (__doc__ or '').split('\n\n')[1],
        '',
        f"{STATES} states a point; {len(filled)} seeds; means and Student's "
        '95 % intervals over seeds. A threshold that was not reached counts as '
        f'{task} updates.',
        '',
        studies.table(rows),
        '',
        'Thresholds were fixed before any fit was looked '
        'at; one that hardly any '
        'fit reached says nothing.',
        '',
        '![Updates needed](updates_needed.svg)',
        '',
        f'Machine: {studies.machine()}. Commit: {revision.of_code()}. '
        f'{seconds:.0f} s for the fits.',
        '',
        '    python -m benchmarks.illustration',
        '',
        f'    {command}',
        '',
      ]
    )
  )
  print((out / 'README.md').read_text())


if __name__ == '__main__':
  main()
