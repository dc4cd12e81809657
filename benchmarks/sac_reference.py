"""SAC's returns beside the published ones of the same protocol.

  python -m benchmarks.sac_reference RUNS

RUNS holds run folders as TASK/SEED, made by

  python -m plasticity_rl.train --config=configs/sac_dmc.py:TASK \
      --config.num_steps=STEPS --config.seed=SEED --workdir=RUNS/TASK/SEED

The difference of the means has Welch's 95 % interval, from our seeds and the
published mean, standard error and number of seeds: a protocol that is the same
has it around zero, one in twenty aside. Copies every metrics.csv to
results/sac_dmc/TASK/ and writes the table there.
"""

import csv
import json
import math
import pathlib
import shutil
import sys

import numpy as np
import scipy.stats

from benchmarks import studies

PUBLISHED = pathlib.Path('tests/data/dmc_return_by_step.csv')
OUT = studies.RESULTS / 'sac_dmc'


def published(task: str) -> dict[int, tuple[float, float, int]]:
  """Mean, standard error and seeds by step, at one update a step."""
  with PUBLISHED.open(newline='') as file:
    return {
      int(row['env_steps']): (
        float(row['mean_return']),
        float(row['stderr']),
        int(row['seeds']),
      )
      for row in csv.DictReader(file)
      if (row['algorithm'], row['replay_ratio'], row['resets'], row['task'])
      == ('sac', '1', '0', task.replace('_', '-', 1))
    }


def returns(folder: pathlib.Path) -> dict[int, float]:
  """Evaluation returns of a run by step."""
  with (folder / 'metrics.csv').open(newline='') as file:
    return {
      int(row['step']): float(row['eval/return'])
      for row in csv.DictReader(file)
      if row['eval/return']
    }


def difference(
  ours: np.ndarray, mean: float, error: float, seeds: int
) -> tuple[float, float, float]:
  """Ours minus theirs, with the ends of Welch's 95 % interval."""
  own = ours.std(ddof=1) / math.sqrt(len(ours))
  both = math.hypot(own, error)
  freedom = both**4 / (own**4 / (len(ours) - 1) + error**4 / (seeds - 1))
  reach = scipy.stats.t.ppf(0.975, freedom) * both
  found = ours.mean() - mean
  return found, found - reach, found + reach


def rows(folder: pathlib.Path) -> list[dict[str, str]]:
  """Of a task, at the published steps that all its seeds have reached."""
  seeds = sorted(p.parent for p in folder.glob('*/metrics.csv'))
  runs = [returns(seed) for seed in seeds]
  found = []
  for step, (mean, error, count) in sorted(published(folder.name).items()):
    if not all(step in run for run in runs) or len(runs) < 2:
      continue
    ours = np.array([run[step] for run in runs])
    gap, low, high = difference(ours, mean, error, count)
    found.append(
      {
        'task': folder.name,
        'steps': f'{step:,}',
        'each seed': ', '.join(f'{value:.0f}' for value in ours),
        'mean': f'{ours.mean():.0f} ± '
        f'{ours.std(ddof=1) / math.sqrt(len(ours)):.0f}',
        'published': f'{mean:.0f} ± {error:.0f} ({count})',
        'difference': f'{gap:+.0f} [{low:+.0f}, {high:+.0f}]',
      }
    )
  return found


def main() -> None:
  folder = pathlib.Path(sys.argv[1])
  tasks = sorted(p for p in folder.iterdir() if p.is_dir())
  commits = set()
  for task in tasks:
    for run in task.glob('*/metrics.csv'):
      target = OUT / task.name / f'seed_{run.parent.name}.csv'
      target.parent.mkdir(parents=True, exist_ok=True)
      shutil.copy(run, target)
      config = json.loads((run.parent / 'config.json').read_text())
      commits.add(config['git_revision'][:7])
  (OUT / 'README.md').write_text(
    '\n'.join(
      [
        '# SAC on the Control Suite, against published curves',
        '',
        'Evaluation returns (10 episodes) at one update a step, mean and '
        'standard error over seeds, beside those published with "The Primacy '
        'Bias in Deep Reinforcement Learning" (`tests/data/` names the source; '
        "seeds in brackets), and the difference with Welch's 95 % interval. "
        'Nothing was tuned to them.',
        '',
        studies.table([row for task in tasks for row in rows(task)]),
        '',
        '    python -m plasticity_rl.train --config=configs/sac_dmc.py:TASK '
        '--config.num_steps=STEPS --config.seed=SEED --workdir=RUNS/TASK/SEED',
        '    python -m benchmarks.sac_reference RUNS',
        '',
        f'Machine: {studies.machine()}, one core a run, '
        'shared with other work. '
        f'Commits: {", ".join(sorted(commits))}.',
        '',
      ]
    )
  )
  print(f'wrote {OUT / "README.md"}')


if __name__ == '__main__':
  main()
