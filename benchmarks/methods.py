"""All methods on three sequences of tasks, with the same code and budget.

  python -m benchmarks.methods [--only=TASK] [METHOD ...]

Each method has three values of its main option. Each is run with three seeds;
the one with the best performance is run with ten other seeds, which are what
the table shows. `plain, tuned` has three learning rates, so that a method has
to beat a network that is merely trained with more care; the others keep the
learning rate at which the plain one collapses. Performance is the mean return
over the last quarter of the tasks. Writes a record of each method and a table
to results/methods/; what has a record is not run again. Names, values and seeds
are below. Nothing was chosen after looking but UPGD's values: at the learning
rate of Adam it stayed at chance on random labels (-2.30), and was given that of
gradient descent.
"""

import argparse
import csv
import importlib
import json
import time

import jax
import numpy as np

from benchmarks import studies
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
# Each with its config, the length and the number of its tasks.
TASKS = {
  'continual_catch': {'of': 'continual_catch', 'task': 3000, 'count': 8},
  'random_labels': {'of': 'random_labels', 'task': 500, 'count': 12},
  'continual_control': {
    'of': 'control:pendulum,continual',
    'task': 3000,
    'count': 6,
  },
}
PLAIN = 'plain'
OUT = studies.RESULTS / 'methods'


def _each(text: str, *values: float) -> list[dict]:
  """An intervention at three values."""
  return [{'interventions': (text.format(value),)} for value in values]


def _key(key: str, *values, **more) -> list[dict]:
  """A config key at three values."""
  return [{key: value, **more} for value in values]


def methods(task: int) -> dict[str, list[dict]]:
  """Overrides to choose from, by method; `task` is a task's length."""
  per_task = f'every_steps={task}'
  return {
    PLAIN: [{}],
    'plain, tuned': _key('optimizer.learning_rate', 3e-4, 1e-3, 3e-3),
    'injection': _each('injection(every_steps={})', task, 2 * task, 4 * task),
    'reset head': _each('reset(every_steps={})', task, 2 * task, 4 * task),
    'reset everything': _each(
      'reset(scope="everything", every_steps={})', task, 2 * task, 4 * task
    ),
    'random subnetwork': _each(
      f'reset(scope="random", fraction={{}}, {per_task})', 0.1, 0.3, 0.5
    ),
    'shrink and perturb': _each(
      f'shrink_and_perturb(shrink={{0}}, perturb=0.5, {per_task})',
      0.2,
      0.5,
      0.8,
    ),
    'soft shrink and perturb': _each(
      'shrink_and_perturb(shrink={}, perturb=0.001, optimizer="keep", '
      'every_updates=1)',
      0.9999,
      0.999,
      0.99,
    ),
    # The head starts anew, and the encoder is mixed with a fresh draw.
    'reset head, mixed encoder': [
      {
        'interventions': (
          f'shrink_and_perturb(shrink={{"encoder": {kept}, "head": 0.0}}, '
          f'perturb={{"encoder": {round(1 - kept, 1)}, "head": 1.0}}, '
          f'{per_task})',
        )
      }
      for kept in (0.2, 0.5, 0.8)
    ],
    'FIRE': _each('fire(every_steps={})', task, 2 * task, 4 * task),
    'FIRE, reset head': _each(
      'fire(dense="reset_head", every_steps={})', task, 2 * task, 4 * task
    ),
    'optimizer reset': _each(
      'optimizer_reset(every_steps={})', task, 2 * task, 4 * task
    ),
    'ReDo': _each('redo(tau={}, every_steps=500)', 0.0, 0.025, 0.1),
    'ReGraMa': _each('regrama(tau={}, every_steps=500)', 0.0, 0.01, 0.1),
    'selective weight reinitialization': _each(
      'selective_weight_reinitialization(factor={}, every_steps=500)',
      0.001,
      0.01,
      0.1,
    ),
    'continuous partial resets': _each(
      'continuous_partial_resets(rate={}, every_updates=1)', 0.01, 0.1, 0.5
    ),
    'continual backprop': _each(
      'continual_backprop(rate={}, every_updates=1)', 1e-5, 1e-4, 1e-3
    ),
    'self-normalized resets': _each(
      'self_normalized_resets(eta={}, every_updates=1)', 0.1, 0.03, 0.01
    ),
    'hare and tortoise': _each(
      'hare_and_tortoise(period={}, every_updates=1)', 100, 500, 2000
    ),
    'normalize and project': _each(
      'normalize_and_project(every_updates={})', 1, 10, 100
    ),
    'weight clipping': _each(
      'weight_clipping(kappa={}, every_updates=1)', 1.0, 2.0, 4.0
    ),
    'L2': _key('regularizer.l2', 1e-4, 1e-3, 1e-2),
    'L2-init': _key('regularizer.l2_init', 1e-4, 1e-3, 1e-2),
    'InFeR': _key('regularizer.infer', 1e-3, 1e-2, 1e-1),
    'Parseval': _key('regularizer.parseval', 1e-5, 1e-4, 1e-3),
    'spectral norm': _key('regularizer.spectral_norm', 1e-4, 1e-3, 1e-2),
    'C-CHAIN': _key('regularizer.c_chain', 1e-2, 1e-1, 1.0),
    'feature norm': _key('regularizer.feature_norm', 1e-4, 1e-3, 1e-2),
    'layer norm': _key(
      'optimizer.eps', 1e-8, 1e-5, 1e-3, **{'network.layer_norm': True}
    ),
    'CReLU': _key(
      'optimizer.eps', 1e-8, 1e-5, 1e-3, **{'network.activation': 'crelu'}
    ),
    'deep Fourier features': _key(
      'optimizer.eps',
      1e-8,
      1e-5,
      1e-3,
      **{'network.activation': 'fourier'},
    ),
    'weight norm': _key(
      'optimizer.eps', 1e-8, 1e-5, 1e-3, **{'network.weight_norm': True}
    ),
    # A residual block in the place of a dense layer.
    'SimBa': _key(
      'optimizer.weight_decay',
      1e-4,
      1e-3,
      1e-2,
      **{
        'network.hidden': (64,),
        'network.residual_blocks': 1,
        'network.initializer': 'orthogonal',
        'optimizer.name': 'adamw',
      },
    ),
    'Adam, b1 = b2': _key('optimizer.b2', 0.9, 0.99, 0.999),
    'Adam, larger eps': _key('optimizer.eps', 1e-5, 1e-3, 1e-1),
    'AdamW': _key(
      'optimizer.weight_decay',
      1e-4,
      1e-3,
      1e-2,
      **{'optimizer.name': 'adamw'},
    ),
    'Muon': _key(
      'optimizer.learning_rate',
      3e-4,
      1e-3,
      3e-3,
      **{'optimizer.name': 'muon'},
    ),
    'TRAC': _key(
      'optimizer.learning_rate',
      1e-3,
      3e-3,
      1e-2,
      **{'optimizer.name': 'trac'},
    ),
    'SAM': _key('optimizer.sam_radius', 0.01, 0.05, 0.2),
    # Its step is gradient descent's, which has learning rates of its own.
    'UPGD': _key(
      'optimizer.learning_rate',
      1e-2,
      3e-2,
      1e-1,
      **{'optimizer.name': 'upgd'},
    ),
    'UPGD along Adam': _key(
      'optimizer.noise', 0.0, 1e-3, 1e-2, **{'optimizer.name': 'adam_upgd'}
    ),
  }


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
        f'# All methods on {name.replace("_", " ")}',
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
        f'Machine: {studies.machine()}. Commits: '
        f'{", ".join(sorted({f["commit"] for f in found}))}. '
        f'{sum(f["seconds"] for f in found):.0f} s.',
        '',
        f'    python -m benchmarks.methods --only={name}',
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


if __name__ == '__main__':
  main()
