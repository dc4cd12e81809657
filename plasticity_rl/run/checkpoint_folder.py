"""The folder of a run's checkpoints: names, replacing, pruning.

A checkpoint has its step as its name only while it is complete. It is written
under a temporary name and renamed; one that is replaced or deleted is renamed
first.
"""

import os
import pathlib
import shutil
from collections.abc import Collection

from absl import logging

from plasticity_rl.distributed import hosts

# A file that protects its checkpoint from pruning; not in the manifest.
KEPT = 'kept'
# Suffix of a checkpoint that is being replaced, until the new one is in place.
_REPLACED = '~'


class CheckpointFolder:
  """The checkpoints of a run as subfolders, whatever is in them."""

  def __init__(
    self, folder: pathlib.Path, keep: int, keep_steps: Collection[int]
  ):
    """Opens a folder, which need not exist.

    Args:
      folder: of the checkpoints.
      keep: how many of the newest checkpoints `prune` leaves.
      keep_steps: steps whose checkpoints it always leaves.
    """
    self._folder = folder
    self._keep = keep
    self._keep_steps = frozenset(keep_steps)

  def __str__(self) -> str:
    return str(self._folder)

  def steps(self) -> list[int]:
    """The steps that have a checkpoint, ascending."""
    if not self._folder.exists():
      return []
    names = (p.name.removesuffix(_REPLACED) for p in self._folder.iterdir())
    return sorted({int(name) for name in names if name.isdigit()})

  def path(self, step: int) -> pathlib.Path:
    """The folder of a step's checkpoint, whether it exists or not."""
    path = self._folder / f'{step:010d}'
    replaced = path.with_name(path.name + _REPLACED)
    return replaced if replaced.exists() and not path.exists() else path

  def keep(self, step: int) -> None:
    """Protects a checkpoint from pruning, by other processes too."""
    try:
      (self.path(step) / KEPT).touch()
    except OSError as error:
      logging.warning(
        'the checkpoint of step %d in %s cannot be marked as kept (%s): '
        'training on there may delete it',
        step,
        self._folder,
        error,
      )

  def temporary_path(self, step: int) -> pathlib.Path:
    """A path for this run to write to, or to delete."""
    # The same on all hosts of a run; another process has another one.
    owner = 'hosts' if hosts.count() > 1 else os.getpid()
    return self._folder / f'.{step:010d}.{owner}'

  def rename(self, temporary: pathlib.Path, step: int) -> None:
    """Moves a complete checkpoint to its place, which may be taken."""
    final = self._folder / f'{step:010d}'
    before = self.path(step)
    if (before / KEPT).exists():
      (temporary / KEPT).touch()
    if before == final and final.exists():
      os.rename(final, final.with_name(final.name + _REPLACED))
    os.rename(temporary, final)

  def prune(self) -> None:
    """Deletes the checkpoints that need not be kept."""
    prunable = [
      s
      for s in self.steps()
      if s not in self._keep_steps and not (self.path(s) / KEPT).exists()
    ]
    for old in prunable[: -self._keep]:
      os.rename(self.path(old), self.temporary_path(old))
    self.delete_leftovers()

  def delete_leftovers(self) -> None:
    """Deletes incomplete and replaced checkpoints, of killed processes too."""
    for left in self._folder.glob('.*'):
      shutil.rmtree(left, ignore_errors=True)
    for left in self._folder.glob(f'*{_REPLACED}'):
      if left.with_name(left.name.removesuffix(_REPLACED)).exists():
        shutil.rmtree(left, ignore_errors=True)
