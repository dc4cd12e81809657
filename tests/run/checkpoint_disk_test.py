"""Checkpoints on a disk that is full."""

import concurrent.futures
import contextlib
import errno
import os
import resource
import shutil
import subprocess
import threading

import numpy as np
import orbax.checkpoint as ocp
import pytest

from plasticity_rl.errors import RunError
from plasticity_rl.run import checkpoint
from plasticity_rl.run import checkpoint_files
from plasticity_rl.run import checkpoint_folder
from tests.run.checkpoints import state_of


@pytest.mark.parametrize('where', ('arrays', 'manifest'))
def test_full_disk_keeps_the_one_before(
  tmp_path, checkpoints, monkeypatch, where
):
  def fail(*args, **kwargs):
    raise OSError(errno.ENOSPC, 'No space left on device')

  if where == 'arrays':
    monkeypatch.setattr(ocp.Checkpointer, 'save', fail)
  else:
    monkeypatch.setattr(checkpoint_files, 'digests', fail)
  checkpoints.save(30, state_of(1.0), {'history': []})
  with pytest.raises(RunError) as caught:
    checkpoints.wait()
  monkeypatch.undo()
  message = str(caught.value)
  assert 'No space left on device' in message
  assert 'the one of step 20 is kept' in message
  assert checkpoints.steps() == [10, 20]
  assert checkpoints.newest() == 20
  # Nothing half-written is left to fill the disk.
  assert not list((tmp_path / 'checkpoints').glob('.*'))
  checkpoints.wait()  # Said once.


def test_full_disk_at_the_first_one(tmp_path, monkeypatch):
  checkpoints = checkpoint.Checkpoints(tmp_path)
  monkeypatch.setattr(
    checkpoint_files, 'digests', lambda *_: (_ for _ in ()).throw(OSError())
  )
  checkpoints.save(30, state_of(1.0), {'history': []})
  with pytest.raises(RunError, match='there is none before it'):
    checkpoints.wait()


def incompressible(num_bytes):
  """A state that takes at least so much space."""
  state = state_of(1.0)
  board = np.random.default_rng(0).integers(0, 256, num_bytes, np.uint8)
  return state._replace(replay={'board': board})


@contextlib.contextmanager
def small_files(folder):
  """The process may write files of 100 kB at most."""
  del folder
  before = resource.getrlimit(resource.RLIMIT_FSIZE)
  resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
  try:
    yield 'File too large'
  finally:
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextlib.contextmanager
def small_disk(folder):
  """A file system of 200 kB beside what is in the folder so far."""
  if os.geteuid():
    pytest.skip('mounting takes root')
  before = folder.with_name('before')
  folder.rename(before)
  folder.mkdir()
  size = sum(p.stat().st_size for p in before.rglob('*')) + 200_000
  mounted = subprocess.run(
    ['mount', '-t', 'tmpfs', '-o', f'size={size}', 'tmpfs', str(folder)],
    capture_output=True,
    check=False,
  )
  if mounted.returncode:
    pytest.skip('mounting is not allowed here')
  try:
    shutil.copytree(before, folder, dirs_exist_ok=True)
    yield 'No space left on device'
    subprocess.run(['mount', '-o', 'remount,size=10m', str(folder)], check=True)
    shutil.rmtree(before)
    shutil.copytree(folder, before)
  finally:
    subprocess.run(['umount', str(folder)], check=True)
  folder.rmdir()
  before.rename(folder)


@pytest.mark.parametrize('limit', (small_files, small_disk))
def test_no_space_in_earnest(tmp_path, checkpoints, caplog, capfd, limit):
  with limit(tmp_path / 'checkpoints') as reason:
    checkpoints.save(30, incompressible(1_000_000), {'history': []})
    with pytest.raises(RunError) as caught:
      checkpoints.wait()
    assert str(caught.value) == (
      f'could not save a checkpoint in {tmp_path / "checkpoints"}: '
      f'{reason}; the one of step 20 is kept, from which the same command '
      'goes on'
    )
    # Orbax's threads tell each its own traceback, if they are let.
    assert not caplog.records
    assert capfd.readouterr() == ('', '')
    assert checkpoints.newest() == 20
  checkpoints.save(30, incompressible(1_000_000), {'history': []})
  checkpoints.wait()
  assert checkpoints.newest() == 30
  # Not sooner: Orbax's threads may write after a failed one was deleted.
  assert not list((tmp_path / 'checkpoints').glob('.*'))


def test_what_is_written_late_is_deleted_too(
  tmp_path, checkpoints, monkeypatch
):
  """By threads that Orbax leaves behind when a write fails."""
  rmtree, late = checkpoint_folder.shutil.rmtree, []

  def deleted_too_early(path, **options):
    rmtree(path, **options)
    if path.name.startswith('.0000000030') and len(late) < 2:
      late.append(path)
      path.mkdir()

  def fail(*args, **kwargs):
    raise OSError(errno.ENOSPC, 'No space left on device')

  monkeypatch.setattr(ocp.Checkpointer, 'save', fail)
  monkeypatch.setattr(checkpoint_folder.shutil, 'rmtree', deleted_too_early)
  monkeypatch.setattr(checkpoint_files.time, 'sleep', lambda seconds: None)
  checkpoints.save(30, state_of(1.0), {'history': []})
  with pytest.raises(RunError, match='step 20 is kept'):
    checkpoints.wait()
  assert len(late) == 2
  assert not list((tmp_path / 'checkpoints').glob('.*'))


def test_a_failure_is_said_before_the_next_save(checkpoints, monkeypatch):
  def fail(*args, **kwargs):
    raise OSError(errno.ENOSPC, 'No space left on device')

  monkeypatch.setattr(ocp.Checkpointer, 'save', fail)
  checkpoints.poll()
  busy = threading.Event()
  checkpoints._pool.submit(busy.wait)
  checkpoints.save(30, state_of(1.0), {'history': []})
  checkpoints.poll()  # It is not known yet, and not waited for.
  busy.set()
  concurrent.futures.wait([checkpoints._pending])
  with pytest.raises(RunError, match='step 20 is kept'):
    checkpoints.poll()
  checkpoints.poll()
