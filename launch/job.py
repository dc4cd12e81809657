"""Does a job: trains its prefix, runs its command, and records the result.

A worker holds the lease of the job that it does, and renews the lease while it
waits for a process or for another job.
"""

import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import IO, Any

from plasticity_rl import diagnosis_folder
from plasticity_rl import settings as settings_lib
from plasticity_rl.run import run_folder

from . import commands
from . import folder as folder_lib
from . import lease as lease_lib

INTERRUPTED, BUSY = 75, 69  # Exit codes beside 0, 1 and 2.
KILLED_TRIES = 3  # A process that is killed is started this many times.
_POLL = 0.2
_WAIT = 2.0  # For a prefix that another worker trains.
_THREADS = (
  'OMP_NUM_THREADS',
  'OPENBLAS_NUM_THREADS',
  'MKL_NUM_THREADS',
  'NUMEXPR_NUM_THREADS',
)
# Makes the command ignore signals that a scheduler sends to its own process:
# ignored signals stay ignored across exec.
SHIELD = ('sh', '-c', 'trap "" USR1 USR2; exec "$@"', 'sh')


class Worker:
  """Does jobs of one study, one at a time."""

  def __init__(
    self,
    folder: pathlib.Path,
    environment: Mapping[str, str] | None = None,
    *,
    start: Callable[..., Any] | None = None,
  ):
    """Does the jobs of a folder.

    Args:
      folder: of the study.
      environment: additional variables for the commands.
      start: `(arguments of python, output, environment) -> process`; starts a
        command. By default it runs on this machine.
    """
    self._folder, self._start = folder, start or start_here
    self._environment = {**os.environ, **(environment or {})}
    self._stop = False
    self._child: Any = None  # What `start` returned last.
    # The leases of the job, and of the prefix that is trained for it.
    self._leases: list[lease_lib.Lease] = []

  def stop(self, *_: Any) -> None:
    """Asks the running command to save and end. A signal handler."""
    self._stop = True
    if self._child is not None and self._child.poll() is None:
      self._child.terminate()

  def do(self, name: str) -> int:
    """Does a job, unless it is done or another worker does it.

    Returns:
      The exit code.

    Raises:
      UserError: there is no such job.
    """
    spec = folder_lib.read_spec(self._folder, name)
    job = folder_lib.job_folder(self._folder, name)
    if folder_lib.recorded(self._folder, name).get('state') == folder_lib.DONE:
      return 0
    before = lease_lib.holder(job)
    lease = lease_lib.acquire(job)
    if lease is None:
      return BUSY
    self._leases.append(lease)
    try:
      # It may have been done before this worker got the lease.
      state = folder_lib.recorded(self._folder, name)
      if state.get('state') == folder_lib.DONE:
        return 0
      self._end_orphan(before)
      return self._attempt(name, spec, state, job / folder_lib.LOG)
    except lease_lib.Lost:
      self._end_child()
      return BUSY
    finally:
      self._leases.remove(lease)
      lease.release()

  def _beat(self, **facts):
    for lease in self._leases:
      lease.beat(**facts)

  def _attempt(self, name, spec, state, log):
    facts = {
      'attempts': state.get('attempts', 0) + 1,
      'host': socket.gethostname(),
      'started': time.time(),
      'log': str(log),
    }
    begun = time.monotonic()
    folder_lib.write_state(
      self._folder, name, state=folder_lib.RUNNING, **facts
    )
    code, error = self._prefix(spec)
    if code == 0:
      code, error = self._run(spec, log)
    facts['seconds'] = state.get('seconds', 0.0) + time.monotonic() - begun
    result = {0: folder_lib.DONE, INTERRUPTED: folder_lib.WAITING}
    self._beat(child=None)  # Raises if the lease was lost.
    folder_lib.write_state(
      self._folder,
      name,
      state=result.get(code, folder_lib.FAILED),
      code=code,
      ended=time.time(),
      **facts,
      **({'error': error} if error else {}),
    )
    return code

  def _prefix(self, spec):
    """Trains the prefix if necessary; returns exit code and error."""
    prefix = spec['past']
    if not prefix:
      return 0, ''
    while not self._stop:
      code = self.do(prefix)
      if code == 0:
        self._seed(spec)
        return 0, ''
      if code not in (BUSY, INTERRUPTED):
        error = folder_lib.recorded(self._folder, prefix).get('error', '')
        return code, f'its prefix, job {prefix}, failed: {error}'
      end = time.monotonic() + _WAIT
      while code == BUSY and time.monotonic() < end and not self._stop:
        self._beat()
        time.sleep(_POLL)
    return INTERRUPTED, 'stopped while its prefix was trained'

  def _seed(self, spec):
    """Makes a run start from the last checkpoint of its prefix."""
    if spec['kind'] == 'diagnose':
      return  # Its command reads the prefix in its own folder.
    prefix = (
      self._folder / folder_lib.read_spec(self._folder, spec['past'])['folder']
    )
    target = self._folder / spec['folder']
    checkpoints = target / 'checkpoints'
    if checkpoints.exists() and any(checkpoints.iterdir()):
      return  # The run has started already.
    self._prepare(spec)
    for name in ('metrics.csv', 'events.jsonl'):
      if (prefix / name).exists():
        shutil.copyfile(prefix / name, target / name)
    source = prefix / 'checkpoints' / f'{spec["past_step"]:010d}'
    temporary = target / '.checkpoints'
    shutil.rmtree(temporary, ignore_errors=True)
    # Files of a checkpoint are never changed, so a link is as good as a copy.
    shutil.copytree(
      source, temporary / source.name, copy_function=_link_or_copy
    )
    shutil.rmtree(checkpoints, ignore_errors=True)
    os.rename(temporary, checkpoints)

  def _prepare(self, spec):
    """Creates the run's folder, with its overrides in `config.json`."""
    target = self._folder / spec['folder']
    if (target / run_folder.CONFIG).exists():
      return
    settings = settings_lib.resolve(spec['config'])
    if spec['kind'] == 'diagnose':
      # The run folders are inside. A diagnosis is recognised by this folder.
      (target / diagnosis_folder.PREFIX).mkdir(parents=True, exist_ok=True)
      record = {'config': spec['config'], **run_folder.origin()}
    else:
      run_folder.prepare(target, settings)
      record = json.loads((target / run_folder.CONFIG).read_text())
    record.update(
      command=commands.text(spec['command']),
      overrides=spec['overrides'],
      arm=spec.get('arm', ''),
      past=spec['past'],
    )
    run_folder.write_atomically(
      target / run_folder.CONFIG, json.dumps(record, indent=2)
    )

  def _run(self, spec, log):
    """Runs the command of a job to its end; returns exit code and error."""
    self._prepare(spec)
    for _ in range(KILLED_TRIES):
      if self._stop:
        break
      with log.open('a') as out:
        out.write(f'$ {commands.text(spec["command"])}\n')
        out.flush()
        begun = out.tell()
        self._child = self._start(spec['command'], out, self._environment)
      if self._stop:  # The signal came while the command was started.
        self._child.terminate()
      pid = self._child.pid
      self._beat(child=pid, child_begun=lease_lib.begun(pid))
      code = self._wait()
      if code == 0:
        return 0, ''
      error = _cause(code) or _last_error(log, begun)
      if self._stop and code in (INTERRUPTED, -signal.SIGTERM):
        return INTERRUPTED, error
      if code > 0 and code != INTERRUPTED:
        return code, error
    return (INTERRUPTED, 'stopped') if self._stop else (1, error)

  def _wait(self):
    while True:
      try:
        return self._child.wait(_POLL)
      except subprocess.TimeoutExpired:
        self._beat()

  def _end_orphan(self, before):
    """Stops the command of a worker that was killed on this machine."""
    if before is None or not lease_lib.is_here(before.record):
      return
    child = before.record.get('child')
    begun = before.record.get('child_begun')
    if lease_lib.is_running(child, begun):
      os.kill(child, signal.SIGTERM)
    while lease_lib.is_running(child, begun):
      self._beat()
      time.sleep(_POLL)

  def _end_child(self):
    if self._child is not None and self._child.poll() is None:
      self._child.terminate()
      self._child.wait()


def start_here(
  arguments: Sequence[str], out: IO[str], environment: Mapping[str, str]
) -> subprocess.Popen:
  """Starts `python` with `arguments`; it ignores a scheduler's signals."""
  return subprocess.Popen(
    [*SHIELD, sys.executable, *arguments],
    stdout=out,
    stderr=subprocess.STDOUT,
    stdin=subprocess.DEVNULL,
    env=environment,
  )


def _link_or_copy(source, target):
  try:
    os.link(source, target)
  except OSError:
    shutil.copyfile(source, target)


def _cause(code):
  if code >= 0:
    return ''
  name = signal.Signals(-code).name
  hint = ' (out of memory?)' if name == 'SIGKILL' else ''
  return f'killed by {name}{hint}, {KILLED_TRIES} times'


def _last_error(log, begun):
  """The last error in a log, or its last line."""
  with log.open('rb') as file:
    file.seek(max(begun, log.stat().st_size - 20_000))
    text = file.read().decode(errors='replace')
  lines = [x.strip() for x in text.splitlines() if x.strip()]
  found = [x for x in lines if x.startswith('error: ')]
  return (found or lines or ['no output'])[-1].removeprefix('error: ')


def environment(cores: int) -> dict[str, str]:
  """Environment variables that limit threads to a number of cores."""
  return {name: str(cores) for name in _THREADS}
