"""Trains an agent; the same command again resumes.

  python -m plasticity_rl.train --config=configs/continual_catch.py \
      --workdir=runs/catch [--config.optimizer.learning_rate=1e-3]
"""

import pathlib

from absl import flags
from ml_collections import config_flags

from plasticity_rl import entry
from plasticity_rl import settings as settings_lib
from plasticity_rl.errors import UserError

_CONFIG = config_flags.DEFINE_config_file(
    'config', None, 'Config file, with an optional `:variant`.'
)
_WORKDIR = flags.DEFINE_string('workdir', None, 'Folder of the run.')
_UNTIL = flags.DEFINE_integer(
    'until', None, 'Stop there and save; the same command without it goes on.'
)


def main(argv: list[str]) -> None:
  """Checks everything, then trains."""
  entry.refuse_positionals(argv)
  entry.require(config=_CONFIG.value, workdir=_WORKDIR.value)
  settings = settings_lib.resolve(_CONFIG.value)

  # Imported here, so that `--help` and mistakes do not wait for jax.
  from plasticity_rl.experiment import experiment as experiment_lib
  from plasticity_rl.experiment import run_folder
  from plasticity_rl.experiment import timeline

  experiment = experiment_lib.build(settings)
  timeline.check(experiment)
  until = _until(settings, _UNTIL.value)
  folder = pathlib.Path(_WORKDIR.value)
  run_folder.prepare(folder, settings)
  if until:
    timeline.run(experiment, folder, num_steps=until)
  else:
    timeline.run(experiment, folder)
  print(f'metrics: {folder / "metrics.csv"}')


def _until(settings, until):
  """--until on the grid; None for the end."""
  if until is None:
    return None
  if not 0 < until <= settings.num_steps:
    raise UserError(
        f'--until must be 1 to num_steps ({settings.num_steps}): {until}'
    )
  from plasticity_rl.experiment import events

  return events.on_grid(until, settings.segment_steps, '--until')


if __name__ == '__main__':
  entry.run(main)
