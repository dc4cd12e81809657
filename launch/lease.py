"""A lock with a lease, for machines that share a folder and a clock does not.

Who works on something holds its newest *generation*: a file `lease-N`. It is
made by a hard link, which fails if the name exists, on NFS as well (where
O_EXCL may not). A generation is never removed, so that it can be made once:
of all who find generation N stale, or released, one makes N + 1. Nobody has to
take a file away from anybody, which is where such locks race.

The owner touches its file; it is stale when that was not done for `SECONDS` by
the file system's own clock, or when the owner is a process of this machine
that is gone. An owner who stalled for longer finds a newer generation and has
to give up (`Lost`).
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
  """Somebody else took over."""


class Holder(NamedTuple):
  """Who holds a lease.

  Attributes:
    record: host, pid, begun (of the process), and what the owner added.
    age: seconds since its last sign of life.
    alive: whether it still counts.
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
    """A sign of life, if it is time; with `facts`, at once, and noted.

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
      os.utime(self._path)  # Without a time: that of the file's server.
    self._last = time.monotonic()

  def release(self) -> None:
    """Lets anybody have it."""
    _replace(self._path, {**self._record, 'released': True})


def acquire(folder: pathlib.Path, **facts: Any) -> Lease | None:
  """The lease of a folder, or None if another holds it."""
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
  own = _temporary(folder)
  own.write_text(json.dumps(record))
  try:
    os.link(own, path)
  except FileExistsError:
    # Unless it was our own link, whose answer the network lost.
    if own.stat().st_nlink < 2:
      return None
  except OSError as error:
    if error.errno not in _NO_LINKS:
      raise
    if not _make(path, record):
      return None
  finally:
    own.unlink(missing_ok=True)
  return Lease(path, record)


def _make(path, record):
  """The same for buckets, which have no links and make a name once."""
  try:
    file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
  except FileExistsError:
    return False
  with os.fdopen(file, 'w') as out:
    out.write(json.dumps(record))
  return True


def holder(folder: pathlib.Path) -> Holder | None:
  """Who held a folder's lease last, and whether they still do."""
  newest = _newest(folder)
  return None if newest is None else _holder(newest)


def begun(pid: int) -> int | None:
  """When a process of this machine began, in ticks; None if it is gone."""
  try:
    text = pathlib.Path(f'/proc/{pid}/stat').read_text()
  except OSError:
    return None
  fields = text.rpartition(')')[2].split()  # A name may hold anything.
  return None if fields[0] == 'Z' else int(fields[19])


def is_running(pid: int | None, when: int | None) -> bool:
  """Whether this machine runs the very process that began `when`."""
  return pid is not None and when is not None and begun(pid) == when


def _holder(path):
  try:
    text = path.read_bytes()
    age = _now(path.parent) - path.stat().st_mtime
  except OSError:
    return Holder({}, 0.0, True)  # Not to be judged.
  try:
    record = json.loads(text)
  except ValueError:
    # Being written, unless who began to is gone: its age tells.
    record = {}
  alive = not record.get('released') and age < SECONDS
  if alive and is_here(record):
    alive = is_running(record.get('pid'), record.get('begun'))
  return Holder(record, max(0.0, age), alive)


def is_here(record: dict[str, Any]) -> bool:
  """Whether a record is of this machine, whose processes can be seen."""
  return (record.get('host'), record.get('space')) == (
    socket.gethostname(),
    _space(),
  )


def _space():
  """The name space of process ids: containers may share a host's name."""
  try:
    return os.readlink('/proc/self/ns/pid')
  except OSError:
    return ''


def _now(folder):
  """By the clock of the file's server, which need not agree with ours."""
  probe = _temporary(folder)
  try:
    probe.touch()
    return probe.stat().st_mtime
  except OSError:  # Who only looks may not write.
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
  own = _temporary(path.parent)
  own.write_text(json.dumps(record))
  os.replace(own, path)
