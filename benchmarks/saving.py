"""How long a save stops training, and how long it takes in the background.

  python -m benchmarks.saving

A save copies the state off the device, and a thread writes the copy while
training goes on. Measured: the copy alone, `Checkpoints.save` as training calls
it, and the time until the checkpoint is on disk. `benchmarks.durability` puts
it into its report.
"""

import pathlib
import statistics
import tempfile
import time
from collections.abc import Callable

import jax
import numpy as np

from benchmarks import studies
from configs import dqn_atari
from configs import minatar
from configs import sac_dmc
from plasticity_rl import settings as settings_lib
from plasticity_rl.run import checkpoint
from plasticity_rl.training import experiment as experiment_lib

REPEATS = 5
# Nothing is learned: the replay is filled, and networks are what they are.
_FILL = {'replay.min_size': 10**6, 'replay.capacity': 10**6}


def cases() -> dict[str, tuple[settings_lib.Settings, int]]:
  """Settings by name, and steps after which they are saved."""

  def resolve(config, steps, **changes):
    config.update_from_flattened_dict(
      {**_FILL, 'num_steps': steps, 'segment_steps': steps, **changes}
    )
    return settings_lib.resolve(config), steps

  return {
    'device: MinAtar, 4 seeds, replay of 100k': resolve(
      minatar.get_config(),
      1000,
      num_seeds=4,
      **{'replay.capacity': 100_000, 'replay.min_size': 100_000},
    ),
    'MuJoCo: SAC, 20k transitions': resolve(
      sac_dmc.get_config('cartpole_swingup'),
      20_000,
    ),
    'Atari: DQN, 20k transitions': resolve(
      dqn_atari.get_config('breakout'),
      20_000,
      **{'environment.num_envs': 8},
    ),
  }


def seconds(function: Callable[[], object]) -> float:
  begun = time.perf_counter()
  function()
  return time.perf_counter() - begun


def measure(settings: settings_lib.Settings) -> dict[str, list[float]]:
  """Seconds by what took them, and bytes."""
  experiment = experiment_lib.build(settings)
  state, _ = experiment.trainer.segment(experiment.init())
  jax.block_until_ready(state.nets)

  def copy():
    leaves = checkpoint.by_path(experiment.trainer.to_checkpoint(state))
    arrays = {k: np.array(v) for k, v in leaves.items()}
    return arrays, experiment.trainer.snapshots(state)

  found = {
    'copy': [],
    'pause': [],
    'written': [],
    'bytes': [sum(x.nbytes for x in copy()[0].values())],
  }
  with tempfile.TemporaryDirectory() as folder:
    checkpoints = checkpoint.Checkpoints(pathlib.Path(folder), keep=1)

    def save():
      checkpoints.save(
        1,
        experiment.trainer.to_checkpoint(state),
        {'history': []},
        experiment.trainer.snapshots(state),
      )

    for _ in range(REPEATS):
      found['copy'].append(seconds(copy))
      found['pause'].append(seconds(save))
      found['written'].append(seconds(checkpoints.wait))
    found['bytes'].append(
      sum(
        p.stat().st_size for p in checkpoints.path(1).rglob('*') if p.is_file()
      )
    )
  return found


def report() -> list[str]:
  """Lines of Markdown."""
  rows = []
  for name, (settings, _) in cases().items():
    found = measure(settings)

    def shown(what, found=found):
      values = [1e3 * s for s in found[what]]
      return f'{statistics.median(values):.1f} (to {max(values):.1f})'

    rows.append(
      {
        'run': name,
        'arrays, MB': f'{found["bytes"][0] / 1e6:.1f}',
        'on disk, MB': f'{found["bytes"][1] / 1e6:.1f}',
        'copy, ms': shown('copy'),
        'training stands still, ms': shown('pause'),
        'then written in the background, ms': shown('written'),
      }
    )
  return [
    studies.table(rows),
    '',
    f'Median (and longest) of {REPEATS}. The copy is that of all arrays, '
    'which on a CPU is one within its memory, and of the snapshots of '
    'replays, which share their frames. A save that is due before the last '
    'one is written waits for it. Other processes ran meanwhile.',
  ]


if __name__ == '__main__':
  print('\n'.join(report()))
