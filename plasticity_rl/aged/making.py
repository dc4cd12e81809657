"""Makes aged checkpoints from the configs of the package."""

import pathlib
import shutil

import plasticity_rl
from plasticity_rl import process
from plasticity_rl import settings as settings_lib
from plasticity_rl.aged import archive
from plasticity_rl.aged import store
from plasticity_rl.configs import aged
from plasticity_rl.errors import UserError
from plasticity_rl.run import run_folder
from plasticity_rl.run import runner
from plasticity_rl.run.checkpoint import Checkpoints
from plasticity_rl.training import experiment as experiment_lib


@process.settled()
def make(name: str, folder: pathlib.Path) -> store.Aged:
  """Trains a checkpoint's network to its end, and packs it.

  Args:
    name: one of `names.ABOUT`.
    folder: where the zip file goes, made if it is not there. The run is beside
      it until it is packed, so that the same call goes on with it.

  Returns:
    The checkpoint.

  Raises:
    UserError: the folder cannot be written.
    RunError: the run diverged, or was asked to stop by a signal.
  """
  settings = settings_lib.resolve(aged.get_config(name))
  experiment = experiment_lib.build(settings)
  run = folder / f'.{name}'
  run_folder.prepare(run, settings)
  runner.run(experiment, run, name=name)
  step = settings.num_steps
  try:
    digest = archive.pack(
      run, Checkpoints(run).path(step), folder / f'{name}.zip'
    )
    store.put(
      folder,
      name,
      sha256=digest,
      step=step,
      seeds=settings.num_seeds,
      made_by=_made_by(),
    )
  except OSError as error:
    raise UserError(f'cannot write to {folder}: {error}') from None
  shutil.rmtree(run)
  return store.read_index(folder)[name]


def _made_by() -> dict[str, str]:
  origin = run_folder.origin()
  versions = origin['versions']
  return {
    'plasticity_rl': plasticity_rl.__version__,
    **{k: versions[k] for k in ('jax', 'python')},
    'commit': origin['git_revision'],
  }
