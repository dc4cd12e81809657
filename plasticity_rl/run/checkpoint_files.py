"""Files of one checkpoint folder: arrays, metadata, digests.

Orbax writes the arrays of the first host, `np.savez` those of the others:
Orbax stores a numpy array only once, on its primary host. Tried instead: global
arrays, of which Orbax lets every host write its shards. Where one host could
not write, the others waited in Orbax's barrier until that process was gone.
"""

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
from collections.abc import Iterator, Mapping, Sequence

import jax
import numpy as np
import orbax.checkpoint as ocp
from absl import logging

from plasticity_rl.distributed import hosts

DATA = 'data'
META = 'meta.json'
MANIFEST = 'manifest.json'
_ARRAYS = 'arrays'
_RETRIES, _RETRY_SECONDS = 50, 0.1


def verify(folder: pathlib.Path) -> str:
  """What is wrong with the files of a checkpoint; '' if nothing."""
  try:
    recorded = json.loads((folder / MANIFEST).read_text())
  except (OSError, ValueError):
    return f'no readable {MANIFEST}'
  present = digests(folder)
  for name, digest in recorded.items():
    if name not in present:
      return f'{name} is missing'
    if present[name] != digest:
      return f'{name} has changed'
  return ''


def digests(
  folder: pathlib.Path, names: Sequence[str] = ('',)
) -> dict[str, str]:
  """SHA-256 digests of files, by their path in the checkpoint.

  Args:
    folder: the checkpoint.
    names: files and subfolders of it; everything by default. The manifest is
      always left out.
  """
  found = {}
  for name in names:
    top = folder / name
    for path in [top] if top.is_file() else sorted(top.rglob('*')):
      if path.is_file() and path.name != MANIFEST:
        with path.open('rb') as file:
          digest = hashlib.file_digest(file, 'sha256').hexdigest()
        found[str(path.relative_to(folder))] = digest
  return found


def arrays_name(host: int) -> str:
  """The name of a host's arrays: a folder for the first host, else a file."""
  return f'{_ARRAYS}_{host}.npz' if host else _ARRAYS


def save_arrays(path: pathlib.Path, arrays: Mapping[str, np.ndarray]) -> None:
  """Writes arrays by name: an .npz file, or a folder by Orbax."""
  if path.suffix == '.npz':
    np.savez(path, **arrays)
    return
  # Orbax refuses empty arrays; their shape in meta.json is all of them.
  arrays = {k: v for k, v in arrays.items() if v.size}
  if arrays:
    with _quiet_orbax():
      _checkpointer().save(path, args=ocp.args.StandardSave(arrays))


def read_arrays(
  path: pathlib.Path, shapes: Mapping[str, jax.ShapeDtypeStruct]
) -> dict[str, np.ndarray]:
  """Reads arrays of these shapes; empty ones are not on disk."""
  if path.suffix == '.npz':
    with np.load(path) as file:
      # numpy returns dtypes that it does not know, such as bfloat16, as bytes.
      return {k: file[k].view(v.dtype) for k, v in shapes.items()}
  empty = {k: np.zeros(v.shape, v.dtype) for k, v in shapes.items()}
  wanted = {k: v for k, v in empty.items() if v.size}
  if not wanted:
    return empty
  found = _checkpointer().restore(path, args=ocp.args.StandardRestore(wanted))
  return {**empty, **{k: np.asarray(v) for k, v in found.items()}}


def _checkpointer():
  """An Orbax checkpointer of this process only, without barriers."""
  options = {}
  if hosts.count() > 1:
    index = hosts.index()
    options = {
      'multiprocessing_options': ocp.options.MultiprocessingOptions(
        primary_host=index,
        active_processes={index},
        barrier_sync_key_prefix=f'host_{index}',
      )
    }
  return ocp.Checkpointer(ocp.StandardCheckpointHandler(**options), **options)


def delete(folder: pathlib.Path) -> None:
  """Deletes a folder; threads of a failed write may still write into it."""
  shutil.rmtree(folder, ignore_errors=True)
  for _ in range(_RETRIES):
    if not folder.exists():
      return
    time.sleep(_RETRY_SECONDS)
    shutil.rmtree(folder, ignore_errors=True)


def short_reason(error: BaseException) -> str:
  """The cause of a failed write; Orbax's messages hold a whole stack."""
  found = re.search(r"os_error_code='(\d+)'", str(error))
  if found:
    return os.strerror(int(found[1]))
  return getattr(error, 'strerror', None) or str(error)


@contextlib.contextmanager
def _quiet_orbax() -> Iterator[None]:
  """Hides the tracebacks that Orbax's threads log for an error they raise."""

  def keep(record):
    return 'orbax' not in record.pathname or record.exc_info is None

  _ignore_late_writes()
  logger = logging.get_absl_logger()
  logger.addFilter(keep)
  try:
    yield
  finally:
    logger.removeFilter(keep)


@functools.cache  # Once a process.
def _ignore_late_writes() -> None:
  """Hides errors of writes that end after Orbax has given up.

  Orbax closes its event loop at the first write that fails. The other writes
  report to it later, from threads where Python can only print that it is
  closed.
  """
  # Tried: no OCDBT, `save_concurrent_gb`, `AsyncCheckpointer`, `save_pytree` of
  # v1: all print it (Orbax 0.12). To save array by array does not, but takes
  # six times as long.
  before = sys.unraisablehook

  def hook(unraisable):
    if str(unraisable.exc_value) != 'Event loop is closed':
      before(unraisable)

  sys.unraisablehook = hook
