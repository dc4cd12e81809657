r"""Films the greedy agent of a saved run: writes an animated GIF.

  python -m plasticity_rl.watch RUN_DIR [--seed=3] [--step=24000]
  python -m plasticity_rl.watch DIAGNOSIS_DIR --arm=injection --out=film.gif
  python -m plasticity_rl.watch checkpoint:catch_12 --episodes=5

Boards (Catch, MinAtar), control problems, and whatever is observed as pixels
(Atari, DeepMind Control from pixels, your own).
"""

import pathlib

from absl import flags

from plasticity_rl import cli
from plasticity_rl import diagnosis_folder
from plasticity_rl import errors
from plasticity_rl import paths
from plasticity_rl.aged import store
from plasticity_rl.errors import UserError

_ARM = flags.DEFINE_string(
  'arm', None, 'Arm of a diagnosis, or prefix for what came before the fork.'
)
_SEED = flags.DEFINE_integer('seed', None, 'Seed; by default the first one.')
_STEP = flags.DEFINE_integer(
  'step', None, 'Checkpoint; by default the newest one.'
)
_EPISODES = flags.DEFINE_integer(
  'episodes', 3, 'Episodes to show, one after the other.', lower_bound=1
)
_MAX_STEPS = flags.DEFINE_integer(
  'max_steps', 300, 'Steps of an episode to show at most.', lower_bound=1
)
_OUT = flags.DEFINE_string(
  'out', None, 'File to write; by default in this folder, named after the run.'
)
flags.declare_key_flag('compilation_cache')


def main(argv: list[str]) -> None:
  """Films the run of the command line.

  Raises:
    UserError: there is no such run, arm, seed or checkpoint, or the environment
      has no picture.
  """
  if len(argv) != 2:
    raise UserError('give one folder of a run, or checkpoint:NAME; see --help')
  run = folder_of(store.source('a folder', argv[1]), _ARM.value)
  out = None if _OUT.value is None else paths.given('--out', _OUT.value)
  if out is not None and out.suffix != '.gif':
    raise UserError(f'--out must be a name that ends in .gif: {out}')
  if out is not None and not out.absolute().parent.is_dir():
    raise UserError(f'--out: there is no folder {out.absolute().parent}')
  from plasticity_rl.videos import film

  found = film.take(
    run,
    seed=_SEED.value,
    step=_STEP.value,
    episodes=_EPISODES.value,
    max_steps=_MAX_STEPS.value,
  )
  path = out or pathlib.Path(
    f'{run.name}_seed{found.seed}_step{found.step}.gif'
  )
  try:
    path.write_bytes(found.gif)
  except OSError as error:
    raise UserError(f'cannot write {path}: {error.strerror}') from None
  returns = ', '.join(f'{value:.4g}' for value in found.returns)
  print(f'returns: {returns}')
  print(f'film: {path}')


def folder_of(folder: pathlib.Path, arm: str | None) -> pathlib.Path:
  """The folder of a run, or of an arm of a diagnosis.

  Raises:
    UserError: there is no such arm, or several and none is named.
  """
  known = diagnosis_folder.arms(folder)
  prefix = diagnosis_folder.PREFIX
  if arm is None:
    if known:
      raise UserError(
        f'{folder} is a diagnosis: choose with --arm: '
        + ', '.join((*known, prefix))
      )
    return folder
  if not known:
    raise UserError(f'--arm is for a diagnosis, and {folder} is none')
  if arm not in (*known, prefix):
    raise UserError(errors.nearest('arm', arm, (*known, prefix)))
  return folder / prefix if arm == prefix else known[arm]


if __name__ == '__main__':
  cli.run(main)
