"""A lock with a lease, for machines that share a folder but not a clock.

The owner of a job has created its newest *generation*, a file `lease-N`. The
file is created by a hard link, which fails if the name exists, also on NFS
(where O_EXCL may not fail). Generations are never removed, so each can be
created only once: of all workers that find generation N stale or released, one
creates N + 1. No worker removes a file of another; in many locks that is the
source of races.

The owner touches its file regularly. The lease is stale if the file was not
touched for `SECONDS` by the file system's clock, or if the owner was a process
of this machine that has ended. An owner that stalled for longer finds a newer
generation and must stop (`Lost`).
"""

import errno
import json
import os
import pathlib
import socket
import time
import uuid
from typing import Any, NamedTuple

SECONDS = 120.0  # More than the minute for which NFS may show old times.
BEAT = 15.0
_PREFIX = 'lease-'
_NO_LINKS = (errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP, errno.EMLINK)


class Lost(Exception):
  """Another owner took over."""


class Holder(NamedTuple):
  """The owner of a lease.

  Attributes:
    record: host, pid, start time of the process, and the owner's own facts.
    age: seconds since the file was touched.
    alive: whether the lease is still held.
  """

  record: dict[str, Any]
  age: float
  alive: bool


class Lease:
  """A lease that is held; `beat` it, and `release` it."""

  def __init__(self, path: pathlib.Path, record: dict[str, Any]):
    self._path, self._record = path, record
    self._last = time.monotonic()

  def beat(self, **facts: Any) -> None:
    """Touches the file if it is time; with `facts`, records them at once.

    Raises:
      Lost: another owner took over in the meantime.
    """
    if not facts and time.monotonic() - self._last < BEAT:
      return
    if _newest(self._path.parent) != self._path:
      raise Lost(str(self._path))
    if facts:
      self._record = {**self._record, **facts}
      _replace(self._path, self._record)
    else:
      os.utime(self._path)  # Sets the time of the file's server.
    self._last = time.monotonic()

  def release(self) -> None:
    """Releases the lease."""
    _replace(self._path, {**self._record, 'released': True})


def acquire(folder: pathlib.Path, **facts: Any) -> Lease | None:
  """Takes the lease of a folder.

  Args:
    folder: created if necessary.
    **facts: recorded with the lease.

  Returns:
    The lease, or None if another worker holds it.
  """
  folder.mkdir(parents=True, exist_ok=True)
  newest = _newest(folder)
  if newest is not None and _holder(newest).alive:
    return None
  number = int(newest.name.removeprefix(_PREFIX)) if newest else 0
  path = folder / f'{_PREFIX}{number + 1:06d}'
  record = {
    'host': socket.gethostname(),
    'space': _space(),
    'pid': os.getpid(),
    'begun': begun(os.getpid()),
    **facts,
  }
  temporary = _temporary(folder)
  temporary.write_text(json.dumps(record))
  try:
    os.link(temporary, path)
  except FileExistsError:
    # It may be this link after all, if the network lost the answer.
    if temporary.stat().st_nlink < 2:
      return None
  except OSError as error:
    if error.errno not in _NO_LINKS:
      raise
    if not _make(path, record):
      return None
  finally:
    temporary.unlink(missing_ok=True)
  return Lease(path, record)


def _make(path, record):
  """Creates the file in a bucket, which has no links but unique names."""
  try:
    file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
  except FileExistsError:
    return False
  with os.fdopen(file, 'w') as out:
    out.write(json.dumps(record))
  return True


def holder(folder: pathlib.Path) -> Holder | None:
  """The last owner of a folder's lease; None if there was none."""
  newest = _newest(folder)
  return None if newest is None else _holder(newest)


def begun(pid: int) -> int | None:
  """The start time of a process of this machine; None if it has ended."""
  try:
    text = pathlib.Path(f'/proc/{pid}/stat').read_text()
  except OSError:
    return None
  fields = text.rpartition(')')[2].split()  # A name may hold anything.
  return None if fields[0] == 'Z' else int(fields[19])


def is_running(pid: int | None, when: int | None) -> bool:
  """Whether this machine still runs the process that started at `when`."""
  return pid is not None and when is not None and begun(pid) == when


def _holder(path):
  try:
    text = path.read_bytes()
    age = _now(path.parent) - path.stat().st_mtime
  except OSError:
    return Holder({}, 0.0, True)  # Unreadable: assume that it is held.
  try:
    record = json.loads(text)
  except ValueError:
    # It is being written, or its writer has died: then its age shows that.
    record = {}
  alive = not record.get('released') and age < SECONDS
  if alive and is_here(record):
    alive = is_running(record.get('pid'), record.get('begun'))
  return Holder(record, max(0.0, age), alive)


def is_here(record: dict[str, Any]) -> bool:
  """Whether a record is of this machine, whose processes are visible."""
  return (record.get('host'), record.get('space')) == (
    socket.gethostname(),
    _space(),
  )


def _space():
  """The namespace of process ids: containers may have the same host name."""
  try:
    return os.readlink('/proc/self/ns/pid')
  except OSError:
    return ''


def _now(folder):
  """The time by the clock of the file's server."""
  probe = _temporary(folder)
  try:
    probe.touch()
    return probe.stat().st_mtime
  except OSError:  # A reader may lack the permission to write.
    return time.time()
  finally:
    probe.unlink(missing_ok=True)


def _newest(folder):
  try:
    return max(folder.glob(f'{_PREFIX}*'), default=None)
  except OSError:
    return None


def _temporary(folder):
  return folder / f'.{socket.gethostname()}.{uuid.uuid4().hex}'


def _replace(path, record):
  temporary = _temporary(path.parent)
  temporary.write_text(json.dumps(record))
  os.replace(temporary, path)
