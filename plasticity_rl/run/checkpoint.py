"""Checkpoints of a run: saved in the background, verified when read.

A checkpoint is a folder named after its step. It holds the arrays (one entry a
leaf, by its path in the tree), `meta.json` (everything else that the run needs
in order to continue), `data/` (objects that write themselves, such as a replay
on the host) and `manifest.json` (the digest of every file). It is written under
a temporary name and renamed, and renamed before it is deleted: a folder with a
step's name is complete whenever the process is killed.

Old checkpoints are deleted, except the newest `config.checkpoint.keep`, the
steps that a study of forks asks for, and those that a fork was made from
(`Checkpoints.keep`).

With several hosts each one writes its part of the arrays (`arrays_1.npz` and so
on) and its own entries of `data/`. The first host writes what is the same on
all, and renames the folder once all have written. `meta.json` records the axis
of each partitioned array, so that any number of hosts can read it.
"""

import concurrent.futures
import json
import pathlib
from collections.abc import Collection, Mapping
from typing import Any

import jax
import numpy as np
from absl import logging

from plasticity_rl.distributed import hosts
from plasticity_rl.errors import RunError
from plasticity_rl.errors import UserError
from plasticity_rl.run import checkpoint_files
from plasticity_rl.run import checkpoint_hosts
from plasticity_rl.run.checkpoint_folder import CheckpointFolder
from plasticity_rl.training.experiment import Experiment
from plasticity_rl.training.trainer import Snapshot
from plasticity_rl.types import TrainState

FOLDER = 'checkpoints'


def by_path(state: TrainState) -> dict[str, Any]:
  """The leaves of a state by their paths, `nets.q.params.encoder...`."""
  return {
    jax.tree_util.keystr(path, simple=True, separator='.'): leaf
    for path, leaf in jax.tree_util.tree_leaves_with_path(state)
  }


class Checkpoints:
  """The checkpoints of one run folder."""

  def __init__(
    self,
    folder: pathlib.Path,
    keep: int = 2,
    keep_steps: Collection[int] = (),
  ):
    """Opens `folder/checkpoints`, which need not exist.

    Args:
      folder: of the run.
      keep: how many of the newest checkpoints are kept after a save.
      keep_steps: steps whose checkpoints are always kept, as are those that the
        method `keep` was called for.
    """
    self._folder = CheckpointFolder(
      pathlib.Path(folder).absolute() / FOLDER, keep, keep_steps
    )
    self._pool = concurrent.futures.ThreadPoolExecutor(1)
    self._pending: concurrent.futures.Future | None = None

  def steps(self) -> list[int]:
    """The steps that have a checkpoint, ascending."""
    return self._folder.steps()

  def path(self, step: int) -> pathlib.Path:
    """The folder of a step's checkpoint, whether it exists or not."""
    return self._folder.path(step)

  def keep(self, step: int) -> None:
    """Protects a checkpoint from pruning, by other processes too."""
    self._folder.keep(step)

  def save(
    self,
    step: int,
    state: TrainState,
    meta: dict[str, Any],
    snapshots: Mapping[str, Snapshot] | None = None,
    axes: TrainState | None = None,
  ) -> None:
    """Copies the state and writes it in the background.

    Args:
      step: the step of the state.
      state: this host's part of the state; all hosts save at the same step.
      meta: further values for JSON; the first host's are saved.
      snapshots: objects that write themselves, by names that no other host
        uses.
      axes: for each leaf, the axis it is partitioned along, or -1.

    Raises:
      RunError: the previous save failed.
    """
    self.wait()
    leaves = by_path(state)
    for leaf in leaves.values():
      if isinstance(leaf, jax.Array):
        leaf.copy_to_host_async()  # All at once rather than one by one.
    # A real copy: the buffers are donated to the next segment. The metadata are
    # serialized at once, because the objects in them change too.
    arrays = {k: np.array(v) for k, v in leaves.items()}
    partition = _partition(axes)
    record = _record(step, meta, arrays, partition)
    self._pending = self._pool.submit(
      self._write, step, arrays, record, dict(snapshots or {}), partition
    )

  def poll(self) -> None:
    """Raises if the last save has failed, without waiting for it.

    With several hosts the error is raised at the next save, at the same step on
    all of them.

    Raises:
      RunError: the last save failed.
    """
    one_host = hosts.count() == 1
    if one_host and self._pending is not None and self._pending.done():
      self.wait()

  def wait(self) -> None:
    """Waits until the last save is on disk.

    Raises:
      RunError: it failed.
    """
    if self._pending is not None:
      pending, self._pending = self._pending, None
      try:
        pending.result()
      except Exception as error:  # Whatever Orbax raises for a full disk.
        kept = self.steps()
        raise RunError(
          f'could not save a checkpoint in {self._folder}: '
          f'{checkpoint_files.short_reason(error)}; '
          + (
            f'the one of step {kept[-1]} is kept, from which the same '
            'command goes on'
            if kept
            else 'there is none before it'
          )
        ) from error

  def _write(self, step, arrays, record, snapshots, partition):
    temporary = self._folder.temporary_path(step)
    try:
      with checkpoint_hosts.joint_step('begun'):
        if hosts.is_first():
          self._folder.delete_leftovers()
          temporary.mkdir(parents=True)
      digests = self._write_arrays(
        temporary, step, arrays, snapshots, partition
      )
      manifest = {}
      for one in hosts.all_gather_object('digests', digests):
        manifest.update(one)
      with checkpoint_hosts.joint_step('renamed'):
        if hosts.is_first():
          meta = checkpoint_files.META
          (temporary / meta).write_text(record)
          manifest.update(checkpoint_files.digests(temporary, [meta]))
          (temporary / checkpoint_files.MANIFEST).write_text(
            json.dumps(manifest)
          )
          self._folder.rename(temporary, step)
    finally:
      if hosts.is_first():
        checkpoint_files.delete(temporary)
    if hosts.is_first():
      self._folder.prune()

  def _write_arrays(self, temporary, step, arrays, snapshots, partition):
    """Writes this host's arrays and snapshots; their digests."""
    checksum = checkpoint_hosts.checksum(arrays, partition)
    with checkpoint_hosts.joint_step('written', checksum) as checksums:
      names = [checkpoint_files.arrays_name(hosts.index())]
      if not hosts.is_first():
        arrays = {k: arrays[k] for k in partition}
      checkpoint_files.save_arrays(temporary / names[0], arrays)
      for name, snapshot in snapshots.items():
        names.append(f'{checkpoint_files.DATA}/{name}')
        snapshot.save(temporary / names[-1])
      digests = checkpoint_files.digests(temporary, names)
    if len(set(checksums)) > 1:
      raise RunError(
        f'hosts have come apart by step {step}: networks that should be '
        'the same on all of them are not'
      )
    return digests

  def meta(self, step: int) -> dict[str, Any]:
    """The metadata of a checkpoint, whose files are all verified.

    Raises:
      UserError: there is no checkpoint of that step, or it is damaged.
    """
    folder = self.path(step)
    if not folder.exists():
      raise UserError(
        f'there is no checkpoint of step {step} in {self._folder}; there '
        f'are: {", ".join(map(str, self.steps())) or "none"}'
      )
    problem = checkpoint_files.verify(folder)
    if problem:
      raise UserError(f'the checkpoint {folder} is damaged: {problem}')
    return json.loads((folder / checkpoint_files.META).read_text())

  def newest(self) -> int | None:
    """The newest step whose checkpoint is intact; None if there is none.

    Damaged ones are logged.

    Raises:
      UserError: all of them are damaged.
    """
    for step in reversed(self.steps()):
      problem = checkpoint_files.verify(self.path(step))
      if not problem:
        return step
      logging.warning(
        'the checkpoint of step %d in %s is damaged (%s); trying the one '
        'before it',
        step,
        self._folder,
        problem,
      )
    if self.steps():
      raise UserError(f'every checkpoint in {self._folder} is damaged')
    return None

  def restore(
    self, step: int, experiment: Experiment
  ) -> tuple[TrainState, dict[str, Any]]:
    """Reads a checkpoint.

    Returns:
      The state, and the metadata.

    Raises:
      UserError: as `check`.
    """
    shapes, meta = self.check(step, experiment)
    folder = self.path(step)
    # Checkpoints of earlier versions, of one host, have no such entry.
    parts = meta.get('parts', {'count': 1, 'axes': {}})
    arrays = checkpoint_hosts.read(
      folder, by_path(shapes), parts['count'], parts['axes']
    )
    state = jax.tree.unflatten(jax.tree.structure(shapes), arrays)
    return experiment.trainer.load(state, folder / checkpoint_files.DATA), meta

  def check(
    self, step: int, experiment: Experiment
  ) -> tuple[TrainState, dict[str, Any]]:
    """Checks that `restore` can read a checkpoint.

    Returns:
      The shapes of the state, and the metadata.

    Raises:
      UserError: it does not exist, is damaged, or is of another agent or
        config.
    """
    meta = self.meta(step)
    shapes = experiment.trainer.shapes_as_saved(
      experiment.shapes(meta['history']), meta['leaves']
    )
    difference = _difference(meta['leaves'], by_path(shapes))
    if difference:
      raise UserError(
        f'the checkpoint of step {step} in {self._folder} is of another '
        f'agent or config: {difference}'
      )
    return shapes, meta


def _partition(axes):
  """The axis of each array that this host has only a part of."""
  if hosts.count() == 1 or axes is None:
    return {}
  return {k: axis for k, axis in by_path(axes).items() if axis >= 0}


def _record(step, meta, arrays, partition):
  """`meta.json`: what a run needs beside its arrays, and the arrays' shapes."""
  leaves = {
    k: [
      checkpoint_hosts.global_shape(v.shape, partition.get(k)),
      str(v.dtype),
    ]
    for k, v in arrays.items()
  }
  parts = {'count': hosts.count(), 'axes': partition}
  return json.dumps({**meta, 'step': step, 'leaves': leaves, 'parts': parts})


def _difference(saved, leaves):
  """How saved shapes and dtypes differ from those of `leaves`; '' if not."""
  expected = {
    k: [list(v.shape), str(np.dtype(v.dtype))] for k, v in leaves.items()
  }
  differ = sorted(
    k for k in {*expected, *saved} if expected.get(k) != saved.get(k)
  )
  if not differ:
    return ''
  return (
    f'{len(differ)} arrays differ, such as {differ[0]} '
    f'(there {saved.get(differ[0])}, here {expected.get(differ[0])})'
  )
