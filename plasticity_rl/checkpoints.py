r"""Checkpoints of networks that have aged, to fork at once.

  plasticity-rl checkpoints
      lists them: is the file as it was made, step, seeds, size, what it is
  plasticity-rl checkpoints make NAME|all [--out=DIR]
      trains what does not come with the package, or all of it again

A name goes wherever a run folder is forked or watched:

  plasticity-rl diagnose --from=checkpoint:catch_12 --workdir=runs/diagnosis
"""

import pathlib
from collections.abc import Iterable

from absl import flags

from plasticity_rl import cli
from plasticity_rl import errors
from plasticity_rl import paths
from plasticity_rl.aged import store
from plasticity_rl.aged.names import ABOUT
from plasticity_rl.errors import UserError

_OUT = flags.DEFINE_string(
  'out',
  None,
  'With make: folder to write to; by default one where other commands look.',
)
flags.declare_key_flag('compilation_cache')
flags.declare_key_flag('cpu_devices')
_ALL = 'all'


def main(argv: list[str]) -> None:
  """Lists the checkpoints, or makes those that are named.

  Raises:
    UserError: the words or flags are not valid.
    RunError: a run cannot continue.
  """
  words = argv[1:]
  if not words:
    if _OUT.value is not None:
      raise UserError('--out goes with make')
    _list()
    return
  if words[0] != 'make':
    raise UserError(errors.nearest('word', words[0], ['make']))
  if len(words) != 2 or words[1] not in (*ABOUT, _ALL):
    named = ' '.join(words[1:])
    raise UserError(errors.nearest('checkpoint', named, (*ABOUT, _ALL)))
  _make(ABOUT if words[1] == _ALL else words[1:])


def _list() -> None:
  for name, about in ABOUT.items():
    one = store.find(name)
    if one is None:
      print(f'{name}: not made yet. {about}')
      continue
    problem = one.problem()
    size = '' if problem else f', {one.path.stat().st_size / 1e6:.2f} MB'
    print(
      f'{name}: {problem.upper() or "verified"}{size}, step {one.step}, '
      f'{one.seeds} seeds. {about}\n  made by {one.origin()}'
    )


def _make(names: Iterable[str]) -> None:
  for name in names:
    if _OUT.value is None:
      folder, one = store.made_here(), store.find(name)
    else:
      folder = paths.given('--out', _OUT.value)
      one = store.read_index(folder).get(name)
    if one is not None and not one.problem():
      print(f'{name}: there already, and verified: {one.path}')
      continue
    from plasticity_rl.aged import making

    made = making.make(name, pathlib.Path(folder))
    print(f'{name}: {made.path}, SHA-256 {made.sha256}')


if __name__ == '__main__':
  cli.run(main)
