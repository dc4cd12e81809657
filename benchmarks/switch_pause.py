"""How long does training pause at an injection, compiled ahead and not?

  python -m benchmarks.switch_pause

A pause is what the two segments after the injection take longer, with all that
happens between segments, than the median of those after them. Each run is a
process of its own; its segments before the injection take long enough in all
for the compiling to end before it.
"""

import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

from absl import logging

from benchmarks import studies

REPEATS = 1
_COMMON = {
    'evaluation.episodes': 2, 'evaluation.max_steps': 50,
    'log.progress': False,
}
# A config, segments in all and before the injection, and what else is set.
CASES = {
    'DQN, MinAtar Breakout, 1 seed, on the device': (
        'minatar', 'breakout', 24, 18, {
            'num_seeds': 1, 'segment_steps': 400, 'replay.min_size': 300,
            'replay.capacity': 10_000,
        },
    ),
    'SAC, cheetah-run, environments on the host': (
        'sac_dmc', 'cheetah_run', 70, 60, {
            'segment_steps': 20, 'replay.min_size': 200,
        },
    ),
}


def settings_of(case, is_ahead):
  """The case's run, injected once."""
  from plasticity_rl import settings as settings_lib

  file, variant, segments, switch, changes = CASES[case]
  module = __import__(f'configs.{file}', fromlist=['get_config'])
  config = module.get_config(variant)
  length = changes['segment_steps']
  config.update_from_flattened_dict({
      **_COMMON, **changes, 'num_steps': segments * length,
      'evaluation.every_steps': length, 'diagnostics.every_steps': length,
      'checkpoint.every_steps': segments * length,
      'interventions': (f'injection(at_steps={switch * length})',),
      'compile_ahead': is_ahead,
  })
  return settings_lib.resolve(config)


def measure(case, is_ahead):
  """Seconds of each segment with what comes before it, and of the process."""
  import jax

  from plasticity_rl.experiment import experiment as experiment_lib
  from plasticity_rl.experiment import run_folder
  from plasticity_rl.experiment import timeline

  settings = settings_of(case, is_ahead)
  experiment = experiment_lib.build(settings)
  ends = []

  def segment(state):
    result = jax.block_until_ready(experiment.loop.segment(state))
    ends.append(time.monotonic())
    return result

  with tempfile.TemporaryDirectory() as folder:
    folder = pathlib.Path(folder) / 'run'
    run_folder.prepare(folder, settings)
    timeline.run(experiment._replace(
        loop=experiment.loop._replace(segment=segment)
    ), folder)
  took = [b - a for a, b in zip(ends, ends[1:], strict=False)]
  switch = CASES[case][3]
  after = took[switch - 1:]
  usual = statistics.median(after[2:])
  return {
      'pause': sum(after[:2]) - 2 * usual, 'usual': usual,
      'before': sum(took[:switch - 1]), 'cpu': time.process_time(),
  }


def alone(case, is_ahead):
  """`measure` in a process of its own."""
  done = subprocess.run(
      [sys.executable, '-m', 'benchmarks.switch_pause', case, str(is_ahead)],
      check=True, capture_output=True, text=True,
  )
  return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
  if len(sys.argv) > 1:
    logging.set_verbosity(logging.WARNING)
    print(json.dumps(measure(sys.argv[1], sys.argv[2] == 'True')))
    return
  begun, rows = time.monotonic(), []
  for case in CASES:
    for is_ahead in (False, True):
      runs = [alone(case, is_ahead) for _ in range(REPEATS)]
      best = {k: min(run[k] for run in runs) for k in runs[0]}
      rows.append(row(case, is_ahead, best))
      print(rows[-1], flush=True)
  (studies.RESULTS / 'switch_pause.md').write_text(
      page(rows, time.monotonic() - begun)
  )


def row(case, is_ahead, found):
  """A line of the table."""
  return {
      'run': case, 'compiled ahead': 'yes' if is_ahead else 'no',
      'pause, s': f'{found["pause"]:.2f}',
      'a segment, s': f'{found["usual"]:.2f}',
      'segments before': str(CASES[case][3]),
      'they took, s': f'{found["before"]:.1f}',
      'processor time of the run, s': f'{found["cpu"]:.0f}',
  }


def page(rows, seconds):
  """The report, in Markdown."""
  return '\n'.join([
      '# The pause at an injection', '',
      f'One injection; best of {REPEATS}. Commit {studies.revision()},',
      f'{studies.machine()},',
      f'load {os.getloadavg()[0]:.1f} by other work; {seconds:.0f} s in all.',
      '', '    python -m benchmarks.switch_pause', '',
      studies.table(rows), '',
      'A pause is what the two segments after the injection take longer than',
      'later ones, with all that happens between segments. Compiling in the',
      'background costs what it would cost at the switch, on whatever cores',
      'training leaves: the segments before then take the longer by it.', '',
  ])


if __name__ == '__main__':
  main()
