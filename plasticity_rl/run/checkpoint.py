"""Checkpoints: everything that a run is, verified when it is read.

A checkpoint is a folder named after its step: the arrays (Orbax, one entry a
leaf, by its path in the tree), `meta.json` (what else the run has to know),
`data/` (what writes itself, such as a replay on the host) and `manifest.json`
(the digest of every file). It is written under a temporary name and renamed,
and renamed before it is deleted, so that a folder with a step's name is whole
whenever the process is killed.

Of older checkpoints, those are kept that are among the newest
`config.checkpoint.keep`, that a study of forks asks for, or that a fork was
made from (`Checkpoints.keep`).

Of several hosts each writes the parts of arrays that it has (`arrays_1.npz` and
so on: Orbax's numpy arrays are the first host's alone) and its own entries of
`data/`; the first one, what is the same on all, and it renames the folder once
all have written. `meta.json` says along which axes the parts are to be put
together, so that any number of hosts can read them.
"""

import concurrent.futures
import contextlib
import functools
import hashlib
import json
import os
import pathlib
import re
import shutil
import sys
import time
import zlib
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
from absl import logging

from plasticity_rl.distributed import hosts
from plasticity_rl.errors import RunError
from plasticity_rl.errors import UserError
from plasticity_rl.training.experiment import Experiment
from plasticity_rl.training.trainer import Snapshot
from plasticity_rl.types import TrainState

FOLDER = 'checkpoints'
_ARRAYS = 'arrays'
_DATA = 'data'
_META = 'meta.json'
_MANIFEST = 'manifest.json'
# In a checkpoint that pruning leaves alone; no file of the manifest.
_KEPT = 'kept'
# After the name of one that is being replaced, until the new one has its name.
_REPLACED = '~'
_RETRIES, _RETRY_SECONDS = 50, 0.1


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
    """Looks at `folder/checkpoints`.

    When saving, keeps the newest `keep`; for good, those of `keep_steps` and
    those that `keep` was called for.
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
    names = (p.name.removesuffix(_REPLACED) for p in self._folder.iterdir())
    return sorted({int(name) for name in names if name.isdigit()})

  def keep(self, step: int) -> None:
    """Keeps a checkpoint for good, whoever goes on saving in this folder."""
    try:
      (self.path(step) / _KEPT).touch()
    except OSError as error:
      logging.warning(
        'the checkpoint of step %d in %s cannot be marked as kept (%s): '
        'training on there may delete it',
        step,
        self._folder,
        error,
      )

  def path(self, step: int) -> pathlib.Path:
    """The folder of a step's checkpoint, whether it is there or not."""
    path = self._folder / f'{step:010d}'
    replaced = path.with_name(path.name + _REPLACED)
    return replaced if replaced.exists() and not path.exists() else path

  def save(
    self,
    step: int,
    state: TrainState,
    meta: dict[str, Any],
    snapshots: Mapping[str, Snapshot] | None = None,
    axes: TrainState | None = None,
  ) -> None:
    """Copies the state; writes it and `snapshots` while training goes on.

    Args:
      step: whose state it is.
      state: of several hosts, this one's part; all of them save at once.
      meta: what else is to be remembered; that of the first host is.
      snapshots: what writes itself, by names that no other host uses.
      axes: for each leaf, the axis that hosts have parts of, or -1.
    """
    self.wait()
    leaves = by_path(state)
    for leaf in leaves.values():
      if isinstance(leaf, jax.Array):
        leaf.copy_to_host_async()  # All at once rather than one by one.
    # A real copy: the buffers are donated to the next segment, and what the
    # metadata refer to goes on changing too.
    arrays = {k: np.array(v) for k, v in leaves.items()}
    parts = {}
    if hosts.count() > 1 and axes is not None:
      parts = {k: axis for k, axis in by_path(axes).items() if axis >= 0}
    leaves = {
      k: [_whole_shape(v.shape, parts.get(k)), str(v.dtype)]
      for k, v in arrays.items()
    }
    record = json.dumps(
      {
        **meta,
        'step': step,
        'leaves': leaves,
        'parts': {'count': hosts.count(), 'axes': parts},
      }
    )
    self._pending = self._pool.submit(
      self._write, step, arrays, record, dict(snapshots or {}), parts
    )

  def poll(self) -> None:
    """Says so if the last save has failed; does not wait for it.

    Of several hosts all are told at the next save, at the same step.
    """
    alone = hosts.count() == 1
    if alone and self._pending is not None and self._pending.done():
      self.wait()

  def wait(self) -> None:
    """Returns when the last save is on disk; says so if it failed."""
    if self._pending is not None:
      pending, self._pending = self._pending, None
      try:
        pending.result()
      except Exception as error:  # Whatever Orbax raises for a full disk.
        kept = self.steps()
        raise RunError(
          f'could not save a checkpoint in {self._folder}: {_why(error)}; '
          + (
            f'the one of step {kept[-1]} is kept, from which the same '
            'command goes on'
            if kept
            else 'there is none before it'
          )
        ) from error

  def _write(self, step, arrays, record, snapshots, parts):
    temporary = self._own(step)
    try:
      with _together('begun'):
        if hosts.is_first():
          self._clear()
          temporary.mkdir(parents=True)
      with _together('written', self._crc(arrays, parts)) as crcs:
        names = [_arrays_of(hosts.index())]
        if hosts.is_first():
          with _errors_said_once():
            _save_arrays(temporary / names[0], arrays)
        else:
          np.savez(temporary / names[0], **{k: arrays[k] for k in parts})
        for name, snapshot in snapshots.items():
          snapshot.save(temporary / _DATA / name)
          names.append(f'{_DATA}/{name}')
        digests = _digests(temporary, names)
      if len(set(crcs)) > 1:
        raise RunError(
          f'hosts have come apart by step {step}: networks that should be '
          'the same on all of them are not'
        )
      manifest = {}
      for one in hosts.all_gather_object('digests', digests):
        manifest.update(one)
      with _together('renamed'):
        if hosts.is_first():
          (temporary / _META).write_text(record)
          manifest.update(_digests(temporary, [_META]))
          (temporary / _MANIFEST).write_text(json.dumps(manifest))
          self._rename(temporary, step)
    finally:
      if hosts.is_first():
        _remove(temporary)
    if hosts.is_first():
      self._prune()

  def _rename(self, temporary, step):
    """Gives it the step's name, whose folder may be there."""
    final = self._folder / f'{step:010d}'
    before = self.path(step)
    if (before / _KEPT).exists():
      (temporary / _KEPT).touch()
    if before == final and final.exists():
      os.rename(final, final.with_name(final.name + _REPLACED))
    os.rename(temporary, final)

  def _prune(self):
    passing = [
      s
      for s in self.steps()
      if s not in self._keep_steps and not (self.path(s) / _KEPT).exists()
    ]
    for old in passing[: -self._keep]:
      os.rename(self.path(old), self._own(old))
    self._clear()

  def _own(self, step):
    """A name that is no step's, for this run to write or delete under."""
    # One name for all hosts, which know of one another.
    owner = 'hosts' if hosts.count() > 1 else os.getpid()
    return self._folder / f'.{step:010d}.{owner}'

  def _clear(self):
    """Deletes what has no step's name, by a process that was killed too."""
    for left in self._folder.glob('.*'):
      shutil.rmtree(left, ignore_errors=True)
    for left in self._folder.glob(f'*{_REPLACED}'):
      if left.with_name(left.name.removesuffix(_REPLACED)).exists():
        shutil.rmtree(left, ignore_errors=True)

  def _crc(self, arrays, parts):
    """Of what has to be the same on all hosts."""
    crc = 0
    if hosts.count() > 1:
      for name, value in arrays.items():
        if name not in parts:
          crc = zlib.crc32(np.ascontiguousarray(value), crc)
    return crc

  def meta(self, step: int) -> dict[str, Any]:
    """What was saved beside the arrays. Verifies the whole checkpoint."""
    folder = self.path(step)
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
      problem = verify(self.path(step))
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
    """Reads the checkpoint of a step: the state and the metadata."""
    shapes, meta = self.check(step, experiment)
    leaves = by_path(shapes)
    folder = self.path(step)
    parts = meta.get('parts', {'count': 1, 'axes': {}})
    of_hosts = [
      _read_arrays(
        folder / _arrays_of(host),
        {
          k: _part_of(v, parts['axes'].get(k), parts['count'])
          for k, v in leaves.items()
          if host == 0 or k in parts['axes']
        },
      )
      for host in range(parts['count'])
    ]
    flat = [
      np.concatenate([one[k] for one in of_hosts], parts['axes'][k])
      if k in parts['axes']
      else of_hosts[0][k]
      for k in leaves
    ]
    state = jax.tree.unflatten(jax.tree.structure(shapes), flat)
    return experiment.trainer.load(state, folder / _DATA), meta

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
        k
        for k in {*expected, *meta['leaves']}
        if expected.get(k) != meta['leaves'].get(k)
      )
      raise UserError(
        f'the checkpoint of step {step} in {self._folder} is of another '
        f'agent or config: {len(differ)} arrays differ, such as {differ[0]} '
        f'(there {meta["leaves"].get(differ[0])}, here '
        f'{expected.get(differ[0])})'
      )
    return shapes, meta


def _remove(folder):
  """Deletes a folder that threads of a failed write may still write into."""
  shutil.rmtree(folder, ignore_errors=True)
  for _ in range(_RETRIES):
    if not folder.exists():
      return
    time.sleep(_RETRY_SECONDS)
    shutil.rmtree(folder, ignore_errors=True)


def _why(error):
  """A failure to write in few words: Orbax's own holds its whole stack."""
  found = re.search(r"os_error_code='(\d+)'", str(error))
  if found:
    return os.strerror(int(found[1]))
  return getattr(error, 'strerror', None) or str(error)


@contextlib.contextmanager
def _errors_said_once() -> Iterator[None]:
  """Orbax's threads log what they raise, each with its traceback."""

  def keep(record):
    return 'orbax' not in record.pathname or record.exc_info is None

  _hush_late_writes()
  logger = logging.get_absl_logger()
  logger.addFilter(keep)
  try:
    yield
  finally:
    logger.removeFilter(keep)


@functools.cache  # Once a process.
def _hush_late_writes() -> None:
  """Orbax gives up at the first write that fails, and closes its event loop.

  The other writes report to it later, from threads where Python can only print
  that it is closed.
  """
  before = sys.unraisablehook

  def hook(unraisable):
    if str(unraisable.exc_value) != 'Event loop is closed':
      before(unraisable)

  sys.unraisablehook = hook


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


def _digests(folder, names=('',)):
  """SHA-256 of the files under some names but the manifest, by path."""
  digests = {}
  for name in names:
    top = folder / name
    for path in [top] if top.is_file() else sorted(top.rglob('*')):
      if path.is_file() and path.name != _MANIFEST:
        with path.open('rb') as file:
          digest = hashlib.file_digest(file, 'sha256').hexdigest()
        digests[str(path.relative_to(folder))] = digest
  return digests


# --- Parts of several hosts ---


@contextlib.contextmanager
def _together(what, value=None):
  """Goes on when all hosts have done it, or fails on all if one fails.

  Yields a list, which has the values of all hosts afterwards.
  """
  found, error = [], None
  try:
    yield found
  except Exception as caught:  # Whatever: the others wait for this one.
    error = caught
  told = _why(error) if error else None
  of_hosts = hosts.all_gather_object(f'checkpoint {what}', [told, value])
  if error:
    raise error
  for host, (failed, one) in enumerate(of_hosts):
    if failed is not None:
      raise RunError(f'host {host}: {failed}')
    found.append(one)


def _arrays_of(host):
  return f'{_ARRAYS}_{host}.npz' if host else _ARRAYS


def _whole_shape(shape, axis):
  """The shape of an array that hosts have equal parts of."""
  if axis is None:
    return list(shape)
  return [n * hosts.count() if i == axis else n for i, n in enumerate(shape)]


def _part_of(shape, axis, count):
  """The shape of one of `count` parts."""
  if axis is None:
    return shape
  return jax.ShapeDtypeStruct(
    tuple(n // count if i == axis else n for i, n in enumerate(shape.shape)),
    shape.dtype,
  )


def _checkpointer():
  """Orbax for this process alone: it knows nothing of other hosts' parts."""
  alone = {}
  if hosts.count() > 1:
    me = hosts.index()
    alone = {
      'multiprocessing_options': ocp.options.MultiprocessingOptions(
        primary_host=me,
        active_processes={me},
        barrier_sync_key_prefix=f'host_{me}',
      )
    }
  return ocp.Checkpointer(ocp.StandardCheckpointHandler(**alone), **alone)


def _save_arrays(folder, arrays):
  """Orbax refuses empty arrays; their shape in meta.json is all of them."""
  arrays = {k: v for k, v in arrays.items() if v.size}
  if arrays:
    _checkpointer().save(folder, args=ocp.args.StandardSave(arrays))


def _read_arrays(folder, shapes):
  """Arrays of these shapes; what is empty was not written."""
  if folder.suffix == '.npz':
    with np.load(folder) as file:
      # What numpy does not know it keeps as bytes.
      return {k: file[k].view(v.dtype) for k, v in shapes.items()}
  empty = {k: np.zeros(v.shape, v.dtype) for k, v in shapes.items()}
  wanted = {k: v for k, v in empty.items() if v.size}
  if not wanted:
    return empty
  found = _checkpointer().restore(folder, args=ocp.args.StandardRestore(wanted))
  return {**empty, **{k: np.asarray(v) for k, v in found.items()}}
