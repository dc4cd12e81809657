"""What diagnostics cost a run, together and one by one.

  python -m benchmarks.diagnostics_cost

Double DQN on MinAtar Breakout as in configs/minatar.py, all seeds in one
program. After the replay is filled, segments of training and measurements are
timed in turn; medians. A measurement is set against the training between two
of them. Writes results/diagnostics_cost.md.
"""

import dataclasses
import statistics
import time
from collections.abc import Callable

import jax

from benchmarks import studies
from configs import minatar
from plasticity_rl import settings as settings_lib
from plasticity_rl.diagnostics import registry
from plasticity_rl.experiment import experiment as experiment_lib

REPEATS = 5
DEAR = ('hessian', 'target_fitting')
CHEAP = tuple(name for name in registry.REGISTRY if name not in DEAR)
# Of target_fitting only so much is done; what it takes grows in proportion.
FIT = {'fit_steps': 20, 'fit_draws': 2}


def cases(settings: settings_lib.Settings) -> dict[str, dict]:
  """Changes to the settings of diagnostics, by the name of the row."""
  defaults = settings.diagnostics
  return {
      'the probe batch alone': {'names': ()},
      'the default four': {'names': defaults.names},
      'all but the dear two': {'names': CHEAP},
      'all but the dear two, and the target': {'names': CHEAP, 'target': True},
      **{name: {'names': (name,)} for name in (*CHEAP, 'hessian')},
      'target_fitting': {'names': ('target_fitting',), **FIT},
  }


def seconds(function: Callable[[], object]) -> float:
  begun = time.perf_counter()
  jax.block_until_ready(function())
  return time.perf_counter() - begun


def main() -> None:
  settings = settings_lib.resolve(minatar.get_config('breakout'))
  experiment = experiment_lib.build(settings)
  state = experiment.init()
  for _ in range(1 + settings.replay.min_size // settings.segment_steps):
    state, _ = experiment.segment(state)
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
    begun = time.perf_counter()
    state, _ = experiment.segment(state)
    jax.block_until_ready(state)
    training.append(time.perf_counter() - begun)
    for name, built in looks.items():
      attached = built.attach(state)
      times[name].append(seconds(lambda b=built, s=attached: b.measure(s)))
    print(f'{training[-1]:.1f} s a segment', flush=True)
  write(settings, training, times)


def write(settings, training, times) -> None:
  period = settings.diagnostics.every_steps
  segment = statistics.median(training)
  between = segment * period / settings.segment_steps
  full = settings_lib.Diagnostics()
  share = FIT['fit_steps'] * FIT['fit_draws'] / full.fit_steps / full.fit_draws
  rows = []
  for name, values in times.items():
    scale = 1 / share if name == 'target_fitting' else 1.0
    median = scale * statistics.median(values)
    rows.append({
        'diagnostics': name, 'seconds, median': f'{median:.3f}',
        'lowest': f'{scale * min(values):.3f}',
        'highest': f'{scale * max(values):.3f}',
        'of training': f'{100 * median / between:.2f} %',
    })
  text = '\n'.join([
      '# Cost of diagnostics', '',
      f'Double DQN on MinAtar Breakout (configs/minatar.py), '
      f'{settings.num_seeds} seeds in one program, a probe batch of '
      f'{settings.diagnostics.probe_size} for each. A measurement happens '
      f'every {period} steps, which take {between:.0f} s of training '
      f'(a segment of {settings.segment_steps}: median {segment:.2f} s, '
      f'{min(training):.2f} to {max(training):.2f}). {REPEATS} times in turn. '
      'One by one, each includes the probe batch and what it shares with '
      f'others (the four ranks one decomposition). target_fitting was '
      f'extrapolated from {share:.1%} of its updates.', '',
      studies.table(rows), '',
      f'Machine: {studies.machine()}, shared with other work: ratios are '
      f'rough. Commit: {studies.revision()}.', '',
      '    python -m benchmarks.diagnostics_cost', '',
  ])
  (studies.RESULTS / 'diagnostics_cost.md').write_text(text)
  print(text)


if __name__ == '__main__':
  main()
