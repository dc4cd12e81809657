"""What progress, metrics.csv, TensorBoard and checkpoints cost a run.

  python -m benchmarks.logging_cost

Runs continual Catch with 10 seeds for some tasks: bare segments, then the
timeline with everything that it logs (no evaluation, no diagnostics, which are
work that was asked for). Interleaved, medians. Writes results/logging_cost.md.
"""

import pathlib
import statistics
import tempfile
import time

import jax

from benchmarks import studies
from configs import continual_catch
from plasticity_rl import revision
from plasticity_rl import settings as settings_lib
from plasticity_rl.run import run_folder
from plasticity_rl.run import runner
from plasticity_rl.training import experiment as experiment_lib

REPEATS = 5
STEPS = 15_000


def _experiment(checkpoints: bool) -> experiment_lib.Experiment:
  config = continual_catch.get_config('demo')
  config.num_steps = STEPS
  config.evaluation.every_steps = 10 * STEPS
  config.diagnostics.every_steps = 10 * STEPS
  config.checkpoint.every_steps = 3000 if checkpoints else STEPS
  config.log.tensorboard = True
  return experiment_lib.build(settings_lib.resolve(config))


def bare(experiment: experiment_lib.Experiment) -> float:
  state = experiment.init()
  jax.block_until_ready(state)
  begun = time.perf_counter()
  for _ in range(STEPS // experiment.settings.segment_steps):
    state, _ = experiment.trainer.segment(state)
  jax.block_until_ready(state)
  return time.perf_counter() - begun


def logged(experiment: experiment_lib.Experiment) -> float:
  with tempfile.TemporaryDirectory() as temporary:
    folder = pathlib.Path(temporary) / 'run'
    run_folder.prepare(folder, experiment.settings)
    begun = time.perf_counter()
    runner.run(experiment, folder)
    return time.perf_counter() - begun


def main() -> None:
  saving, sparing = _experiment(True), _experiment(False)
  for experiment in (saving, sparing):
    bare(experiment)
    logged(experiment)
  times = {'bare': [], 'logged': [], 'logged and saved': []}
  for _ in range(REPEATS):
    times['bare'].append(bare(sparing))
    times['logged'].append(logged(sparing))
    times['logged and saved'].append(logged(saving))
  base = statistics.median(times['bare'])
  rows = [
    {
      'run': name,
      'seconds, median': f'{statistics.median(values):.2f}',
      'lowest': f'{min(values):.2f}',
      'highest': f'{max(values):.2f}',
      'cost': f'{100 * (statistics.median(values) / base - 1):+.1f} %',
    }
    for name, values in times.items()
  ]
  text = '\n'.join(
    [
      '# Cost of logging',
      '',
      f'Continual Catch, 10 seeds, {STEPS} steps in segments of 500. "logged" '
      'is the whole timeline with progress bar, metrics.csv and TensorBoard, '
      'and the one checkpoint at the end; "logged and saved" has a checkpoint '
      'every 3000 steps. Interleaved.',
      '',
      studies.table(rows),
      '',
      f'Machine: {studies.machine()}. Commit: {revision.of_code()}.',
      '',
      '    python -m benchmarks.logging_cost',
      '',
    ]
  )
  (studies.RESULTS / 'logging_cost.md').write_text(text)
  print(text)


if __name__ == '__main__':
  main()
