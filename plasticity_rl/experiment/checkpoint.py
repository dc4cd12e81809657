"""Checkpoints: everything that a run is, verified when it is read.

A checkpoint is a folder named after its step: the arrays (Orbax, one entry a
leaf, by its path in the tree), `meta.json` (what else the run has to know),
`data/` (what writes itself, such as a replay on the host) and `manifest.json`
(the digest of every file). It is written under a temporary
name and renamed, so that a folder with a step's name is whole.
"""

import concurrent.futures
import hashlib
import json
import os
import pathlib
import shutil
from collections.abc import Collection, Mapping
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
from absl import logging

from plasticity_rl.errors import RunError
from plasticity_rl.errors import UserError
from plasticity_rl.experiment.experiment import Experiment
from plasticity_rl.experiment.loop import Snapshot
from plasticity_rl.types import TrainState

FOLDER = 'checkpoints'
_ARRAYS = 'arrays'
_DATA = 'data'
_META = 'meta.json'
_MANIFEST = 'manifest.json'


def by_path(state: TrainState) -> dict[str, Any]:
  """The leaves of a state by their paths, `nets.q.params.encoder...`."""
  return {
      jax.tree_util.keystr(path, simple=True, separator='.'): leaf
      for path, leaf in jax.tree_util.tree_leaves_with_path(state)
  }


class Checkpoints:
  """The checkpoints of one run folder."""

  def __init__(
      self, folder: pathlib.Path, keep: int = 2,
      keep_steps: Collection[int] = (),
  ):
    """Looks at `folder/checkpoints`.

    When saving, keeps the newest `keep`, and those of `keep_steps` for good.
    """
    self._folder = pathlib.Path(folder).absolute() / FOLDER
    self._keep = keep
    self._keep_steps = frozenset(keep_steps)
    self._pool = concurrent.futures.ThreadPoolExecutor(1)
    self._pending: concurrent.futures.Future | None = None

  def steps(self) -> list[int]:
    """Steps that have a checkpoint, ascending."""
    if not self._folder.exists():
      return []
    return sorted(
        int(path.name) for path in self._folder.iterdir()
        if path.name.isdigit()
    )

  def save(
      self, step: int, state: TrainState, meta: dict[str, Any],
      snapshots: Mapping[str, Snapshot] | None = None,
  ) -> None:
    """Copies the state; writes it and `snapshots` while training goes on."""
    self.wait()
    # A real copy: the buffers are donated to the next segment, and what the
    # metadata refer to goes on changing too.
    arrays = {k: np.array(v) for k, v in by_path(state).items()}
    leaves = {k: [list(v.shape), str(v.dtype)] for k, v in arrays.items()}
    record = json.dumps({**meta, 'step': step, 'leaves': leaves})
    self._pending = self._pool.submit(
        self._write, step, arrays, record, dict(snapshots or {})
    )

  def wait(self) -> None:
    """Returns when the last save is on disk; says so if it failed."""
    if self._pending is not None:
      pending, self._pending = self._pending, None
      try:
        pending.result()
      except Exception as error:  # Whatever Orbax raises for a full disk.
        kept = self.steps()
        raise RunError(
            f'could not save a checkpoint in {self._folder}: {error}; '
            + (f'the one of step {kept[-1]} is kept' if kept
               else 'there is none before it')
        ) from error

  def _write(self, step, arrays, record, snapshots):
    final = self._folder / f'{step:010d}'
    temporary = self._folder / f'.{step:010d}.{os.getpid()}'
    for left in self._folder.glob('.*'):  # By a process that was killed.
      shutil.rmtree(left, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
      checkpointer = ocp.Checkpointer(ocp.StandardCheckpointHandler())
      # Orbax refuses empty arrays; their shape in meta.json is all of them.
      checkpointer.save(
          temporary / _ARRAYS,
          args=ocp.args.StandardSave(
              {k: v for k, v in arrays.items() if v.size}
          ),
      )
      for name, snapshot in snapshots.items():
        snapshot.save(temporary / _DATA / name)
      (temporary / _META).write_text(record)
      (temporary / _MANIFEST).write_text(json.dumps(_digests(temporary)))
      if final.exists():
        shutil.rmtree(final)
      os.rename(temporary, final)
    finally:
      shutil.rmtree(temporary, ignore_errors=True)
    passing = [s for s in self.steps() if s not in self._keep_steps]
    for old in passing[:-self._keep]:
      shutil.rmtree(self._folder / f'{old:010d}')

  def meta(self, step: int) -> dict[str, Any]:
    """What was saved beside the arrays. Verifies the whole checkpoint."""
    folder = self._folder / f'{step:010d}'
    if not folder.exists():
      raise UserError(
          f'there is no checkpoint of step {step} in {self._folder}; there '
          f'are: {", ".join(map(str, self.steps())) or "none"}'
      )
    problem = verify(folder)
    if problem:
      raise UserError(f'the checkpoint {folder} is damaged: {problem}')
    return json.loads((folder / _META).read_text())

  def newest(self) -> int | None:
    """The newest step whose checkpoint is whole; damaged ones are named."""
    for step in reversed(self.steps()):
      problem = verify(self._folder / f'{step:010d}')
      if not problem:
        return step
      logging.warning(
          'the checkpoint of step %d in %s is damaged (%s); trying the one '
          'before it', step, self._folder, problem,
      )
    if self.steps():
      raise UserError(f'every checkpoint in {self._folder} is damaged')
    return None

  def restore(
      self, step: int, experiment: Experiment
  ) -> tuple[TrainState, dict[str, Any]]:
    """Reads the checkpoint of a step: the state and the metadata."""
    shapes, meta = self.check(step, experiment)
    leaves = by_path(shapes)
    checkpointer = ocp.Checkpointer(ocp.StandardCheckpointHandler())
    arrays = checkpointer.restore(
        self._folder / f'{step:010d}' / _ARRAYS,
        args=ocp.args.StandardRestore({
            k: np.zeros(v.shape, v.dtype) for k, v in leaves.items()
            if np.prod(v.shape)
        }),
    )
    flat = [
        np.asarray(arrays[k]) if k in arrays else np.zeros(v.shape, v.dtype)
        for k, v in leaves.items()
    ]
    state = jax.tree.unflatten(jax.tree.structure(shapes), flat)
    return experiment.loop.load(
        state, self._folder / f'{step:010d}' / _DATA
    ), meta

  def check(
      self, step: int, experiment: Experiment
  ) -> tuple[TrainState, dict[str, Any]]:
    """Refuses a checkpoint that `restore` could not read.

    Returns:
      The shapes of the state, and the metadata.
    """
    meta = self.meta(step)
    shapes = experiment.shapes(meta['history'])
    leaves = by_path(shapes)
    expected = {
        k: [list(v.shape), str(np.dtype(v.dtype))] for k, v in leaves.items()
    }
    if expected != meta['leaves']:
      differ = sorted(
          k for k in {*expected, *meta['leaves']}
          if expected.get(k) != meta['leaves'].get(k)
      )
      raise UserError(
          f'the checkpoint of step {step} in {self._folder} is of another '
          f'agent or config: {len(differ)} arrays differ, such as {differ[0]} '
          f'(there {meta["leaves"].get(differ[0])}, here '
          f'{expected.get(differ[0])})'
      )
    return shapes, meta


def verify(folder: pathlib.Path) -> str:
  """What is wrong with a checkpoint's files; '' if nothing."""
  try:
    recorded = json.loads((folder / _MANIFEST).read_text())
  except (OSError, ValueError):
    return f'no readable {_MANIFEST}'
  present = _digests(folder)
  for name, digest in recorded.items():
    if name not in present:
      return f'{name} is missing'
    if present[name] != digest:
      return f'{name} has changed'
  return ''


def _digests(folder):
  """SHA-256 of every file but the manifest, by relative path."""
  digests = {}
  for path in sorted(folder.rglob('*')):
    if path.is_file() and path.name != _MANIFEST:
      with path.open('rb') as file:
        digest = hashlib.file_digest(file, 'sha256').hexdigest()
      digests[str(path.relative_to(folder))] = digest
  return digests
