"""What diagnostics cost a run, together and one by one.

  python -m benchmarks.diagnostics_cost

Double DQN on MinAtar Breakout as in configs/minatar.py, all seeds in one
program. After the replay is filled, segments of training and measurements are
timed in turn; medians. A measurement is set against the training between two
of them, by the clock and by the processor's time, which other work on the
machine disturbs less. Writes results/diagnostics_cost.md.
"""

import dataclasses
import statistics
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax

from benchmarks import studies
from configs import minatar
from plasticity_rl import revision
from plasticity_rl import settings as settings_lib
from plasticity_rl.diagnostics import registry
from plasticity_rl.training import experiment as experiment_lib

REPEATS = 3
DEAR = ('hessian', 'target_fitting')
CHEAP = tuple(name for name in registry.FOR_ALL if name not in DEAR)
# Of target_fitting only so much is done; what it takes grows in proportion.
FIT = {'fit_steps': 20, 'fit_draws': 2}


def cases(settings: settings_lib.Settings) -> dict[str, dict]:
  """Changes to the settings of diagnostics, by the name of the row."""
  defaults = settings.diagnostics
  return {
    'the default four': {'names': defaults.names},
    'all but the dear two': {'names': CHEAP},
    'all but the dear two, and the target': {'names': CHEAP, 'target': True},
    **{name: {'names': (name,)} for name in (*CHEAP, 'hessian')},
    'target_fitting': {'names': ('target_fitting',), **FIT},
  }


class Time(NamedTuple):
  """Seconds by the clock, and of the process on all cores."""

  clock: float
  processor: float


def timed(function: Callable[[Any], Any], argument: Any) -> tuple[Time, Any]:
  """What it took, and the result."""
  clock, processor = time.perf_counter(), time.process_time()
  result = jax.block_until_ready(function(argument))
  return Time(
    time.perf_counter() - clock, time.process_time() - processor
  ), result


def median(times: list[Time], scale: float = 1.0) -> Time:
  return Time(
    *(scale * statistics.median(values) for values in zip(*times, strict=True))
  )


def main() -> None:
  settings = settings_lib.resolve(minatar.get_config('breakout'))
  experiment = experiment_lib.build(settings)
  state = experiment.init()
  for _ in range(1 + settings.replay.min_size // settings.segment_steps):
    state, _ = experiment.trainer.segment(state)
  looks = {}
  for name, changes in cases(settings).items():
    changed = dataclasses.replace(
      settings,
      diagnostics=dataclasses.replace(settings.diagnostics, **changes),
    )
    built = experiment_lib.build(changed)
    looks[name] = built
    jax.block_until_ready(built.measure(built.attach(state)))
    print('compiled', name, flush=True)
  training, times = [], {name: [] for name in looks}
  for _ in range(REPEATS):
    spent, (state, _) = timed(experiment.trainer.segment, state)
    training.append(spent)
    for name, built in looks.items():
      attached = jax.block_until_ready(built.attach(state))
      times[name].append(timed(built.measure, attached)[0])
    print(f'{spent.clock:.1f} s a segment', flush=True)
  write(settings, training, times)


def write(
  settings: settings_lib.Settings,
  training: list[Time],
  times: dict[str, list[Time]],
) -> None:
  period = settings.diagnostics.every_steps
  between = median(training, period / settings.segment_steps)
  full = settings_lib.DiagnosticsConfig()
  share = FIT['fit_steps'] * FIT['fit_draws'] / full.fit_steps / full.fit_draws
  rows = []
  for name, values in times.items():
    one = median(values, 1 / share if name == 'target_fitting' else 1.0)
    rows.append(
      {
        'diagnostics': name,
        'seconds': f'{one.clock:.3f}',
        'processor seconds': f'{one.processor:.3f}',
        'of training': f'{100 * one.clock / between.clock:.2f} %',
        'of its processor time': f'{100 * one.processor / between.processor:.2f} %',
      }
    )
  text = '\n'.join(
    [
      '# Cost of diagnostics',
      '',
      'Double DQN on MinAtar Breakout (configs/minatar.py), '
      f'{settings.num_seeds} seeds in one program, a probe batch of '
      f'{settings.diagnostics.probe_size} for each. A measurement happens '
      f'every {period} steps, which take {between.clock:.0f} s of training '
      f'({between.processor:.0f} s of processor time). Medians of {REPEATS}, '
      'measured in turn. One by one, each includes the probe batch and what '
      'it shares with others (the four ranks one decomposition). '
      f'target_fitting was extrapolated from {share:.1%} of its updates.',
      '',
      studies.table(rows),
      '',
      f'Machine: {studies.machine()}. Commit: {revision.of_code()}.',
      '',
      '    python -m benchmarks.diagnostics_cost',
      '',
    ]
  )
  (studies.RESULTS / 'diagnostics_cost.md').write_text(text)
  print(text)


if __name__ == '__main__':
  main()
