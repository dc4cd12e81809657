"""Checkpoints: all bits come back, and damage is noticed and named."""

import concurrent.futures
import contextlib
import errno
import json
import logging
import os
import resource
import shutil
import subprocess
import threading

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
import pytest

from plasticity_rl.errors import RunError
from plasticity_rl.errors import UserError
from plasticity_rl.run import checkpoint
from plasticity_rl.run import checkpoint_files
from plasticity_rl.run import checkpoint_folder
from plasticity_rl.types import Counters
from plasticity_rl.types import Keys
from plasticity_rl.types import NetState
from plasticity_rl.types import TrainState
from tests.training import small


def state_of(value, width=3):
  """A state of every dtype that there is, an empty array included."""
  params = {'encoder': {}, 'head': {'w': jnp.full([2, width], value)}}
  net = NetState(params, None, {'count': jnp.array([7], jnp.int32)}, None)
  return TrainState(
    nets={'q': net},
    replay={'board': jnp.array([True, False]), 'none': jnp.zeros([2, 0])},
    env=(jnp.array([-0.0, jnp.nan, jnp.inf]),),
    keys=Keys(jax.random.PRNGKey(1), jax.random.PRNGKey(2)),
    counters=Counters(*(jnp.array(i, jnp.int32) for i in range(4))),
    interventions={'own': {'mean': jnp.array(0.1)}},
  )


class Grown:
  """As an experiment whose head grew by each change in its history."""

  def __init__(self, width=3):
    self._width = width
    self.trainer = self

  def shapes(self, history):
    return jax.eval_shape(lambda: state_of(0.0, self._width + len(history)))

  def load(self, state, folder):
    del folder
    return jax.tree.map(jnp.asarray, state)


GROWN = Grown()


@pytest.fixture(name='checkpoints')
def fixture_checkpoints(tmp_path):
  """Steps 10 and 20 in a folder."""
  checkpoints = checkpoint.Checkpoints(tmp_path, keep=2)
  for step in (10, 20):
    checkpoints.save(step, state_of(step / 3), {'history': []})
  checkpoints.wait()
  return checkpoints


@pytest.fixture(name='warnings')
def fixture_warnings(monkeypatch):
  """What absl warned of."""
  heard = []
  monkeypatch.setattr(
    checkpoint.logging,
    'warning',
    lambda text, *args: heard.append(text % args),
  )
  return heard


def folder_of(tmp_path, step):
  return tmp_path / 'checkpoints' / f'{step:010d}'


def test_restores_all_bits_and_the_metadata(tmp_path):
  checkpoints = checkpoint.Checkpoints(tmp_path)
  state = state_of(1 / 3)
  checkpoints.save(5, state, {'history': [], 'clock': {'seconds': 2.5}})
  checkpoints.wait()
  # By another process, as it were.
  back, meta = checkpoint.Checkpoints(tmp_path).restore(5, GROWN)
  small.assert_equal(back, state)
  assert meta['clock'] == {'seconds': 2.5}
  assert meta['step'] == 5


def test_saves_a_copy_of_the_state(tmp_path):
  """The buffers are donated to the next segment while the save goes on."""
  checkpoints = checkpoint.Checkpoints(tmp_path)
  state = state_of(1.0)
  host = jax.tree.map(np.array, state)
  history = []
  busy = threading.Event()
  checkpoints._pool.submit(busy.wait)  # Writing begins after what follows.
  checkpoints.save(5, host, {'history': history})
  host.nets['q'].params['head']['w'][:] = 9.0
  history.append('an injection after the checkpoint')
  busy.set()
  checkpoints.wait()
  back, meta = checkpoints.restore(5, GROWN)
  small.assert_equal(back, state)
  assert meta['history'] == []


def test_structure_is_that_of_the_history(tmp_path):
  checkpoints = checkpoint.Checkpoints(tmp_path)
  state = state_of(1.0, width=5)
  checkpoints.save(5, state, {'history': ['injection', 'again']})
  checkpoints.wait()
  back, _ = checkpoints.restore(5, GROWN)
  small.assert_equal(back, state)


def test_keeps_the_newest(tmp_path, checkpoints):
  assert checkpoints.steps() == [10, 20]
  checkpoints.save(30, state_of(1.0), {'history': []})
  checkpoints.wait()
  assert checkpoints.steps() == [20, 30]
  assert sorted(p.name for p in (tmp_path / 'checkpoints').iterdir()) == [
    '0000000020',
    '0000000030',
  ]


def test_keeps_what_was_asked_for_beside_the_newest(tmp_path):
  checkpoints = checkpoint.Checkpoints(tmp_path, keep=1, keep_steps=(10, 30))
  for step in (10, 20, 30, 40, 50):
    checkpoints.save(step, state_of(1.0), {'history': []})
  checkpoints.wait()
  assert checkpoints.steps() == [10, 30, 50]


def test_nothing_is_there_at_first(tmp_path):
  checkpoints = checkpoint.Checkpoints(tmp_path)
  assert checkpoints.steps() == []
  assert checkpoints.newest() is None
  with pytest.raises(UserError, match='no checkpoint of step 3 .* are: none'):
    checkpoints.restore(3, GROWN)


def test_missing_step_names_those_that_are_there(checkpoints):
  with pytest.raises(UserError, match='of step 15 .*there are: 10, 20'):
    checkpoints.meta(15)


def largest_file(folder):
  files = [p for p in folder.rglob('*') if p.is_file()]
  return max(files, key=lambda p: p.stat().st_size)


def flip_a_byte(folder):
  path = largest_file(folder / 'arrays')
  data = bytearray(path.read_bytes())
  data[len(data) // 2] ^= 1
  path.write_bytes(data)
  return f'{path.relative_to(folder)} has changed'


def truncate(folder):
  path = largest_file(folder / 'arrays')
  path.write_bytes(path.read_bytes()[:-1])
  return f'{path.relative_to(folder)} has changed'


def lose_a_file(folder):
  path = largest_file(folder / 'arrays')
  path.unlink()
  return f'{path.relative_to(folder)} is missing'


def change_the_metadata(folder):
  meta = json.loads((folder / 'meta.json').read_text())
  (folder / 'meta.json').write_text(json.dumps({**meta, 'step': 21}))
  return 'meta.json has changed'


def lose_the_manifest(folder):
  (folder / 'manifest.json').unlink()
  return 'no readable manifest.json'


def halve_the_manifest(folder):
  path = folder / 'manifest.json'
  path.write_text(path.read_text()[:40])
  return 'no readable manifest.json'


@pytest.mark.parametrize(
  'damage',
  (
    flip_a_byte,
    truncate,
    lose_a_file,
    change_the_metadata,
    lose_the_manifest,
    halve_the_manifest,
  ),
)
def test_damage_is_named_and_the_one_before_is_used(
  tmp_path, checkpoints, warnings, damage
):
  assert checkpoints.newest() == 20
  assert not warnings
  problem = damage(folder_of(tmp_path, 20))
  assert checkpoints.newest() == 10
  assert len(warnings) == 1
  assert f'step 20 in {tmp_path}' in warnings[0]
  assert problem in warnings[0]
  with pytest.raises(UserError) as caught:
    checkpoints.restore(20, GROWN)
  assert problem in str(caught.value)
  back, _ = checkpoints.restore(10, GROWN)
  small.assert_equal(back, state_of(10 / 3))


def test_all_damaged_is_refused(tmp_path, checkpoints, warnings):
  for step in (10, 20):
    lose_the_manifest(folder_of(tmp_path, step))
  with pytest.raises(UserError, match='every checkpoint in .* is damaged'):
    checkpoints.newest()
  assert len(warnings) == 2


def test_half_written_folder_is_ignored_and_cleared(tmp_path, checkpoints):
  """What a process leaves that was killed while it saved."""
  half = tmp_path / 'checkpoints' / '.0000000030.123'
  shutil.copytree(folder_of(tmp_path, 20), half)
  assert checkpoints.steps() == [10, 20]
  assert checkpoints.newest() == 20
  checkpoints.save(30, state_of(1.0), {'history': []})
  checkpoints.wait()
  assert not half.exists()
  assert checkpoints.newest() == 30


def test_saving_again_replaces(checkpoints):
  checkpoints.save(20, state_of(5.0), {'history': []})
  checkpoints.wait()
  assert checkpoints.steps() == [10, 20]
  back, _ = checkpoints.restore(20, GROWN)
  small.assert_equal(back, state_of(5.0))


def test_another_agents_is_refused_in_a_line(checkpoints):
  with pytest.raises(UserError) as caught:
    checkpoints.restore(20, Grown(4))
  message = str(caught.value)
  assert '\n' not in message
  assert 'of another agent or config: 1 arrays differ' in message
  assert 'nets.q.params.head.w' in message
  assert '[2, 3]' in message and '[2, 4]' in message
  # The same is found out without reading any array.
  with pytest.raises(UserError, match='of another agent'):
    checkpoints.check(20, Grown(4))


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


def test_orbax_stays_quiet(caplog, tmp_path):
  with caplog.at_level(logging.WARNING):
    test_restores_all_bits_and_the_metadata(tmp_path)
  assert not caplog.records


# --- Killed at any moment ---


class Dies(BaseException):
  """Takes the place of a kill."""


def dying_at(monkeypatch, moment):
  """The process ends at the so manyth renaming or deletion; those that came."""
  calls = []

  def step(function, half):
    def call(path, *args, **kwargs):
      calls.append(function.__name__)
      if len(calls) > moment:
        raise Dies  # It is dead: what comes after does nothing either.
      if len(calls) == moment:
        half(path)
        raise Dies
      return function(path, *args, **kwargs)

    return call

  def half_deleted(path):
    if path.exists():
      (path / 'manifest.json').unlink(missing_ok=True)

  monkeypatch.setattr(
    checkpoint_folder.os,
    'rename',
    step(checkpoint_folder.os.rename, lambda path: None),
  )
  monkeypatch.setattr(
    checkpoint_folder.shutil,
    'rmtree',
    step(checkpoint_folder.shutil.rmtree, half_deleted),
  )
  return calls


@pytest.mark.slow
def test_whole_whenever_it_is_killed(tmp_path, monkeypatch, warnings):
  """Saves 20 again, then 30 and 40, of which the newest is kept."""
  moment, died = 0, True
  while died:
    moment += 1
    folder = tmp_path / str(moment)
    checkpoints = checkpoint.Checkpoints(folder, keep=1)
    checkpoints.save(20, state_of(0.0), {'history': []})
    checkpoints.wait()
    died, newest = False, 20
    with monkeypatch.context() as patched:
      dying_at(patched, moment)
      for step in (20, 30, 40):
        try:
          checkpoints.save(step, state_of(1.0), {'history': []})
          checkpoints.wait()
        except (Dies, RunError):
          died = True
          break
        newest = step
    found = checkpoint.Checkpoints(folder, keep=1)
    assert found.newest() >= newest
    for step in found.steps():
      assert not checkpoint_files.verify(found.path(step)), (moment, step)
    # It goes on, and leaves nothing behind.
    found.save(50, state_of(2.0), {'history': []})
    found.wait()
    assert [p.name for p in (folder / 'checkpoints').iterdir()] == [
      '0000000050'
    ]
    back, _ = found.restore(50, GROWN)
    small.assert_equal(back, state_of(2.0))
  assert not warnings
  assert moment > 10  # Renamings and deletions of three saves.


# --- Which are kept ---


def test_those_that_were_forked_are_kept(tmp_path, checkpoints):
  """Though another process goes on training there."""
  checkpoint.Checkpoints(tmp_path).keep(10)
  for step in (30, 40):
    checkpoints.save(step, state_of(1.0), {'history': []})
  checkpoints.wait()
  assert checkpoints.steps() == [10, 30, 40]
  assert not checkpoint_files.verify(checkpoints.path(10))
  back, _ = checkpoints.restore(10, GROWN)
  small.assert_equal(back, state_of(10 / 3))


def test_one_that_is_kept_stays_so_when_saved_again(checkpoints):
  checkpoints.keep(20)
  for step in (20, 30, 40, 50):
    checkpoints.save(step, state_of(1.0), {'history': []})
  checkpoints.wait()
  assert checkpoints.steps() == [20, 40, 50]


def test_warns_where_it_cannot_be_kept(checkpoints, warnings):
  checkpoints.keep(15)
  assert len(warnings) == 1
  assert 'step 15' in warnings[0] and 'may delete it' in warnings[0]


# --- A disk that is full ---


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
    assert not list((tmp_path / 'checkpoints').glob('.*'))
  checkpoints.save(30, incompressible(1_000_000), {'history': []})
  checkpoints.wait()
  assert checkpoints.newest() == 30


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
