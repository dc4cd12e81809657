"""All methods on three sequences of tasks, with the same code and budget.

  python -m benchmarks.methods [--only=TASK] [METHOD ...]

Each method has three values of its main option. Each is run with three seeds;
the one with the best performance is run with ten other seeds, which are what
the table shows. `plain, tuned` has three learning rates, so that a method has
to beat a network that is merely trained with more care; the others keep that
of the plain one, at which it collapses on Catch and on random labels.
Performance is the mean return over the last quarter of the tasks. Writes a
record of each method and tables to results/methods/; what has a record is not
run again. Names and values are in `compared_methods.py`. Nothing was chosen
after looking but UPGD's values: at the learning rate of Adam it stayed at chance
on random labels (-2.30), and was given that of gradient descent.
"""

import argparse
import csv
import importlib
import itertools
import json
import time

import jax
import numpy as np
import scipy.stats

from benchmarks import studies
from benchmarks.compared_methods import PLAIN
from benchmarks.compared_methods import TASKS
from benchmarks.compared_methods import methods
from plasticity_rl import revision
from plasticity_rl import settings as settings_lib
from plasticity_rl.analysis.verdict import statistics
from plasticity_rl.errors import Interrupted
from plasticity_rl.errors import RunError
from plasticity_rl.run import run_folder
from plasticity_rl.run import runner
from plasticity_rl.training import experiment as experiment_lib

TUNING_SEEDS, FINAL_SEEDS = 3, 10
TUNING_SEED, FINAL_SEED = 9001, 9101
OUT = studies.RESULTS / 'methods'


def _settings(name, overrides, seed, num_seeds):
  task, count = TASKS[name]['task'], TASKS[name]['count']
  module, _, variant = TASKS[name]['of'].partition(':')
  config = importlib.import_module(f'configs.{module}').get_config(variant)
  config.seed, config.num_seeds = seed, num_seeds
  config.num_steps = task * count
  config.segment_steps = 500
  config.environment.switch_every_steps = task
  config.diagnostics.every_steps = task * count
  config.diagnostics.names = ('weight_norm',)
  config.checkpoint.every_steps = task * count
  config.log.progress = False
  config.update_from_flattened_dict(overrides)
  return settings_lib.resolve(config)


def run(name, overrides, seed, num_seeds, folder) -> np.ndarray:
  """Performance of each seed; runs what is not there yet.

  A run whose loss becomes NaN counts as the lowest return there is.
  """
  settings = _settings(name, overrides, seed, num_seeds)
  failed = folder / 'failed'
  if not failed.exists():
    experiment = experiment_lib.build(settings)
    runner.check(experiment)
    run_folder.prepare(folder, settings)
    try:
      runner.run(experiment, folder)
    except Interrupted:  # Asked to stop, and it saved.
      raise
    except RunError as error:
      failed.write_text(str(error))
  if failed.exists():
    low, _ = experiment_lib.build(settings).trainer.return_range
    return np.full(num_seeds, low)
  late = settings.num_steps * 3 // 4
  returns = {}
  with (folder / 'metrics.csv').open(newline='') as file:
    for row in csv.DictReader(file):
      if int(row['step']) > late and row['eval/return']:
        returns.setdefault(row['seed'], []).append(float(row['eval/return']))
  return np.array([np.mean(values) for values in returns.values()])


def seconds_per_step(name, overrides) -> float:
  """Processor time of a segment of ten seeds, compiled; the best of three.

  Not wall time, which other work on the machine would lengthen.
  """
  settings = _settings(name, overrides, FINAL_SEED, FINAL_SEEDS)
  experiment = experiment_lib.build(settings)
  state, _ = experiment.trainer.segment(experiment.init())
  best = np.inf
  for _ in range(3):
    begun = time.process_time()
    state, metrics = experiment.trainer.segment(state)
    jax.block_until_ready((state, metrics))
    best = min(best, time.process_time() - begun)
  return best / settings.segment_steps


def study(name: str, method: str, choices: list[dict]) -> dict:
  """Tunes and runs one method; a record that is there is taken."""
  folder = studies.RUNS / 'methods' / name / method.replace(' ', '_')
  record = OUT / name / f'{method.replace(" ", "_")}.json'
  if record.exists():
    return json.loads(record.read_text())
  begun = time.monotonic()
  tuned = [0.0]
  if len(choices) > 1:
    tuned = [
      float(
        run(name, c, TUNING_SEED, TUNING_SEEDS, folder / f'tuning_{i}').mean()
      )
      for i, c in enumerate(choices)
    ]
  best = choices[int(np.argmax(tuned))]
  performance = run(name, best, FINAL_SEED, FINAL_SEEDS, folder / 'final')
  found = {
    'method': method,
    'chosen': {k: str(v) for k, v in best.items()},
    'tuning': tuned,
    'performance': performance.tolist(),
    'failed': (folder / 'final' / 'failed').exists(),
    'seconds_per_step': seconds_per_step(name, best),
    'seconds': time.monotonic() - begun,
    'commit': revision.of_code(),
    'machine': studies.machine(),
  }
  record.parent.mkdir(parents=True, exist_ok=True)
  run_folder.write_atomically(record, json.dumps(found, indent=2))
  return found


def write(name: str, found: list[dict]) -> None:
  """The table and the numbers of a task."""
  plain = next(f for f in found if f['method'] == PLAIN)
  rows = []
  for f in sorted(found, key=lambda f: -np.mean(f['performance'])):
    values = np.array(f['performance'])
    mean, low, high = statistics.student_interval(values)
    gain, gain_low, gain_high = statistics.student_interval(
      values - np.array(plain['performance'])
    )
    rows.append(
      {
        'method': f['method'],
        'performance': f'{mean:.2f} [{low:.2f}, {high:.2f}]',
        'over plain, paired': (
          '-'
          if f is plain
          else f'{gain:+.2f} [{gain_low:+.2f}, {gain_high:+.2f}]'
        ),
        'cost per step': (
          f'{f["seconds_per_step"] / plain["seconds_per_step"]:.2f}'
        ),
        'chosen': '; '.join(f'`{k} = {v}`' for k, v in f['chosen'].items()),
      }
    )
  task = TASKS[name]
  missing = [
    m for m in methods(task['task']) if m not in {f['method'] for f in found}
  ]
  (OUT / f'{name}.md').write_text(
    '\n'.join(
      [
        f'# All methods on {_title(name)}',
        '',
        ' '.join((__doc__ or '').split('\n\n')[2].split()),
        '',
        f'{task["count"]} tasks of {task["task"]} steps; {FINAL_SEEDS} seeds, '
        "Student's 95 % intervals. Cost per step is relative to the plain "
        'network, in processor time of the compiled loop, '
        'on a machine that did '
        'other work as well: differences below 1.4 mean little.',
        '',
        *([f'Not run yet: {", ".join(missing)}.', ''] if missing else []),
        studies.table(rows),
        '',
        f'Machines: {"; ".join(sorted({f["machine"] for f in found}))}. '
        f'Commits: {", ".join(sorted({f["commit"] for f in found}))}. '
        f'{sum(f["seconds"] for f in found):.0f} s.',
        '',
        f'    python -m benchmarks.methods --only={name}',
        '',
      ]
    )
  )


def _title(name: str) -> str:
  return name.replace('_', ' ')


def compare() -> None:
  """The README: ranks of the methods that every task has a record of."""
  found = {}
  for name in TASKS:
    records = [json.loads(p.read_text()) for p in (OUT / name).glob('*.json')]
    found[name] = {r['method']: np.array(r['performance']) for r in records}
  every = sorted(set.intersection(*map(set, found.values())))
  if PLAIN not in every:
    return
  means = {n: np.array([f[m].mean() for m in every]) for n, f in found.items()}
  # Equal ones share the middle of their ranks.
  ranks = {n: scipy.stats.rankdata(-values) for n, values in means.items()}
  rows = []
  for i in np.argsort(sum(ranks.values()), kind='stable'):
    cells = {}
    for name, f in found.items():
      gain = f[every[i]] - f[PLAIN]
      _, low, high = statistics.student_interval(gain)
      sign = ' +' if low > 0 else ' -' if high < 0 else ''
      cells[_title(name)] = f'{ranks[name][i]:g}{sign}'
    rows.append({'method': every[i], **cells})
  alike = [
    f'{_title(a)} and {_title(b)} '
    f'{scipy.stats.spearmanr(means[a], means[b]).statistic:+.2f}'
    for a, b in itertools.combinations(TASKS, 2)
  ]
  (OUT / 'README.md').write_text(
    '\n'.join(
      [
        f'# {len(every)} methods on three sequences of tasks',
        '',
        'Ranks by mean performance, best first by their sum; + and - mark a '
        "gain or a loss against the plain network whose paired Student's 95 % "
        f'interval of {FINAL_SEEDS} seeds lies beyond zero, not corrected for '
        'the number of methods. Rank correlations: ' + ', '.join(alike) + '. '
        'Returns, intervals, costs and what was chosen: '
        + ', '.join(f'[{_title(n)}]({n}.md)' for n in TASKS)
        + '. What it shows: `NOTES.md`.',
        '',
        studies.table(rows),
        '',
        '    python -m benchmarks.methods',
        '',
      ]
    )
  )


def main() -> None:
  parser = argparse.ArgumentParser(description=(__doc__ or '').split('\n')[0])
  parser.add_argument('--only', choices=TASKS)
  parser.add_argument('methods', nargs='*')
  arguments = parser.parse_args()
  for name in [arguments.only] if arguments.only else TASKS:
    choices = methods(TASKS[name]['task'])
    # Others are compared with the plain one.
    chosen = [PLAIN, *(arguments.methods or list(choices)[1:])]
    # All are checked before any is run.
    for method in chosen:
      for overrides in choices[method]:
        runner.check(
          experiment_lib.build(
            _settings(name, overrides, FINAL_SEED, FINAL_SEEDS)
          )
        )
    found = []
    for method in chosen:
      found.append(study(name, method, choices[method]))
      mean = np.mean(found[-1]['performance'])
      print(f'{name} {method}: {mean:.3f}', flush=True)
      write(name, found)
  compare()


if __name__ == '__main__':
  main()
