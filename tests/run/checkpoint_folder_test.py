"""Checkpoints at any moment, and which of them are kept."""

import shutil

import pytest

from plasticity_rl.errors import RunError
from plasticity_rl.run import checkpoint
from plasticity_rl.run import checkpoint_files
from plasticity_rl.run import checkpoint_folder
from tests.run.checkpoints import GROWN
from tests.run.checkpoints import folder_of
from tests.run.checkpoints import state_of
from tests.training import small


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
