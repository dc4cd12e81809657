import errno
import json
import os
import subprocess
import sys
import threading
import time

import pytest

from launch import lease as lease_lib


def _age(folder, seconds):
  """Makes the newest lease look untouched for so long."""
  path = max(folder.glob('lease-*'))
  then = time.time() - seconds
  os.utime(path, (then, then))
  return path


def _of_another_machine(folder):
  path = max(folder.glob('lease-*'))
  record = json.loads(path.read_text())
  path.write_text(json.dumps({**record, 'host': 'elsewhere'}))


def test_one_holds_it_until_it_is_released(tmp_path):
  assert lease_lib.holder(tmp_path) is None
  first = lease_lib.acquire(tmp_path, job='a')
  assert first is not None
  assert lease_lib.acquire(tmp_path) is None
  holder = lease_lib.holder(tmp_path)
  assert holder.alive and holder.record['job'] == 'a'
  first.release()
  assert not lease_lib.holder(tmp_path).alive
  assert lease_lib.acquire(tmp_path) is not None
  assert not list(tmp_path.glob('.*'))  # Nothing temporary is left.


def test_a_process_of_this_machine_that_is_gone_holds_nothing(tmp_path):
  code = (
    'import pathlib, sys; sys.path.insert(0, "."); from launch import lease;'
    'assert lease.acquire(pathlib.Path(sys.argv[1])) is not None'
  )
  subprocess.run([sys.executable, '-c', code, tmp_path], check=True)
  assert not lease_lib.holder(tmp_path).alive
  assert lease_lib.acquire(tmp_path) is not None


def test_the_process_id_of_another_process_is_not_the_owner(tmp_path):
  lease_lib.acquire(tmp_path)
  path = max(tmp_path.glob('lease-*'))
  record = json.loads(path.read_text())
  path.write_text(json.dumps({**record, 'begun': record['begun'] - 1}))
  assert not lease_lib.holder(tmp_path).alive


@pytest.mark.parametrize('text', (b'', b'{"host": "els', bytes(8), b'\xff'))
def test_a_lease_that_was_never_written_whole_grows_old(tmp_path, text):
  (tmp_path / 'lease-000001').write_bytes(text)
  assert lease_lib.holder(tmp_path).alive  # Being written, perhaps.
  assert lease_lib.acquire(tmp_path) is None
  _age(tmp_path, lease_lib.SECONDS + 1)
  assert not lease_lib.holder(tmp_path).alive
  assert lease_lib.acquire(tmp_path) is not None


def test_another_machine_is_judged_by_its_beats(tmp_path):
  lease = lease_lib.acquire(tmp_path)
  _of_another_machine(tmp_path)
  _age(tmp_path, lease_lib.SECONDS - 10)
  assert lease_lib.acquire(tmp_path) is None
  _age(tmp_path, lease_lib.SECONDS + 10)
  other = lease_lib.acquire(tmp_path)
  assert other is not None
  # Who stalled finds out, and its release frees nobody else's.
  with pytest.raises(lease_lib.Lost):
    lease.beat(x=1)
  lease.release()
  assert lease_lib.holder(tmp_path).alive
  other.beat(x=2)


def test_a_beat_is_a_sign_of_life(tmp_path, monkeypatch):
  lease = lease_lib.acquire(tmp_path)
  _of_another_machine(tmp_path)
  path = _age(tmp_path, 1000)
  lease.beat()  # Not time yet.
  assert not lease_lib.holder(tmp_path).alive
  monkeypatch.setattr(lease_lib, 'BEAT', 0.0)
  lease.beat()
  assert time.time() - path.stat().st_mtime < 60
  assert lease_lib.holder(tmp_path).alive


@pytest.mark.parametrize('links', (True, False))
def test_of_many_who_take_over_one_does(tmp_path, monkeypatch, links):
  if not links:  # As in a bucket.

    def refuse(*_):
      raise OSError(errno.EOPNOTSUPP, 'no links')

    monkeypatch.setattr(os, 'link', refuse)
  for _ in range(15):
    lease_lib.acquire(tmp_path)
    _of_another_machine(tmp_path)
    _age(tmp_path, 1000)
    won, barrier = [], threading.Barrier(8)

    def take(won=won, barrier=barrier):
      barrier.wait()
      if lease_lib.acquire(tmp_path) is not None:
        won.append(1)

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
      thread.start()
    for thread in threads:
      thread.join()
    assert len(won) == 1
    max(tmp_path.glob('lease-*')).write_text('{"released": true}')


def test_a_link_whose_answer_was_lost_is_ours(tmp_path, monkeypatch):
  link = os.link

  def lossy(source, target):
    link(source, target)
    raise FileExistsError(target)  # The second attempt of a client.

  monkeypatch.setattr(os, 'link', lossy)
  assert lease_lib.acquire(tmp_path) is not None
