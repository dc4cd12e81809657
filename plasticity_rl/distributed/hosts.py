"""Several processes that train together, mostly one a host.

`joined` starts `jax.distributed`: what `pmap` then spreads work over are the
devices of all processes. What the processes tell one another beside that (how
a criterion stands, who was asked to stop, that a part of a checkpoint is
written) is small, and goes through the key-value store of jax's coordinator:
no device has to stop for it.

Whatever a process decides from has to be the same in all of them, or they
would wait for one another for ever: `all_gather_object` and `broadcast_object`
see to that. Nobody waits for the dead: a process that has not been heard of for
a while, or that leaves by an error, stops all others, with a line.
"""

import contextlib
import ctypes
import hashlib
import json
import os
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from plasticity_rl import errors
from plasticity_rl.errors import Interrupted
from plasticity_rl.errors import RunError
from plasticity_rl.errors import UserError

# "Try again" of sysexits: the same command goes on from the last checkpoint.
_LOST = 75
_BEAT = 1.0  # Seconds.
_WAIT_MS = 600_000
_AGAIN = 'the same command on all hosts goes on from the last checkpoint'


class Address(NamedTuple):
  """Where the processes meet, and which of them this one is.

  Attributes:
    coordinator: ADDRESS:PORT at the first process; '' where jax finds it by
      itself, on a TPU pod, under Slurm, Open MPI and Kubernetes.
    count: of processes; 0 where jax finds it.
    index: of this one; -1 where jax finds it.
  """

  coordinator: str = ''
  count: int = 0
  index: int = -1


def address(
  coordinator: str | None,
  count: int | None,
  index: int | None,
  distributed: str,
) -> Address | None:
  """What the flags of a command say; None for a process by itself.

  Args:
    coordinator: --coordinator.
    count: --num_processes.
    index: --process_id.
    distributed: --distributed, 'no' or 'auto'.
  """
  given = {
    '--coordinator': coordinator,
    '--num_processes': count,
    '--process_id': index,
  }
  missing = [name for name, value in given.items() if value is None]
  if distributed == 'auto':
    if len(missing) < len(given):
      raise UserError(
        '--distributed=auto finds the other processes by itself: leave out '
        + ', '.join(name for name in given if name not in missing)
      )
    return Address()
  if len(missing) == len(given):
    return None
  if missing:
    raise UserError(
      f'{", ".join(given)} go together: {", ".join(missing)} missing'
    )
  host, _, port = coordinator.rpartition(':')
  if not host or not port.isdigit() or not 0 < int(port) < 2**16:
    raise UserError(f'--coordinator must be ADDRESS:PORT: {coordinator!r}')
  if count < 1:
    raise UserError(f'--num_processes must be at least 1: {count}')
  if not 0 <= index < count:
    raise UserError(
      f'--process_id must be 0 to {count - 1}, for --num_processes={count}: '
      f'{index}'
    )
  return Address(coordinator, count, index)


class _Group:
  """The processes, as this one knows them."""

  def __init__(self, client: Any, index: int, count: int, timeout: float):
    self._client = client
    self.index, self.count = index, count
    self._numbers: dict[str, int] = {}
    self._timeout = timeout
    self._ended = threading.Event()
    self._thread = threading.Thread(target=self._watch, daemon=True)
    self._thread.start()

  # --- What they tell one another ---

  def all_gather_object(self, name: str, value: Any) -> list[Any]:
    """What every process gave, by index."""
    number = self._numbers[name] = self._numbers.get(name, -1) + 1
    folder = f'exchange/{name}/{number}'
    # The first gathers for all: the calls grow with their number, not with
    # its square.
    if self.index:
      self._client.key_value_set(f'{folder}/{self.index}', json.dumps(value))
      return json.loads(self._get(f'{folder}/all'))
    values = [
      json.dumps(value),
      *(self._get(f'{folder}/{i}') for i in range(1, self.count)),
    ]
    whole = f'[{", ".join(values)}]'
    self._client.key_value_set(f'{folder}/all', whole)
    # All have read the one before the last: they have answered since.
    self._client.key_value_delete(f'exchange/{name}/{number - 2}/')
    return json.loads(whole)

  def _get(self, key):
    """The value of a key, however long another process takes to set it."""
    while True:
      try:
        return self._client.blocking_key_value_get(key, _WAIT_MS)
      except RuntimeError as error:  # A class of jaxlib's.
        if 'DEADLINE_EXCEEDED' not in str(error):
          raise

  # --- Who is there ---

  def _watch(self):
    """Beats, and looks after the others; ends the process with a line."""
    # Of all, as one may die before its first beat: when it was another one.
    begun = time.monotonic()
    beats = {f'beat/{i}': ('', begun) for i in range(self.count)}
    number, fails = 0, 0
    while not self._ended.wait(min(_BEAT, self._timeout / 5)):
      number += 1
      try:
        self._client.key_value_set(
          f'beat/{self.index}', str(number), allow_overwrite=True
        )
        found = dict(self._client.key_value_dir_get('beat/'))
        failed = dict(self._client.key_value_dir_get('failed/'))
      except RuntimeError:  # The first process is gone.
        if self._ended.is_set():
          return
        _say_and_leave(f'the first process is gone: stopped; {_AGAIN}', _LOST)
      now = time.monotonic()
      for key, value in found.items():
        if beats[key][0] != value:
          beats[key] = value, now
      fails += bool(failed)
      if fails > 2:  # By itself it would have left with its own line by now.
        (key, text), *_ = sorted(failed.items())
        why = json.loads(text)
        self._leave(f'host {_number(key)} stopped: {why["text"]}', why['code'])
      silent = [
        _number(key)
        for key, (_, since) in beats.items()
        if now - since > self._timeout
      ]
      if silent:
        self._leave(
          f'host {", ".join(silent)} of {self.count} has not been heard of '
          f'for {self._timeout:g} s: stopped; {_AGAIN}',
          _LOST,
          len(silent),
        )

  def _leave(self, text, code, dead=0):
    with contextlib.suppress(RuntimeError):  # It may be gone by now.
      self._wait_for_others(dead)
    _say_and_leave(text, code)

  def fail(self, text: str, code: int) -> None:
    """Tells the others that this process ends."""
    self._ended.set()
    # Where the first process is gone, there is nobody to tell.
    with contextlib.suppress(RuntimeError):
      self._client.key_value_set(
        f'failed/{self.index}', json.dumps({'text': text, 'code': code})
      )
      self._wait_for_others()

  def _wait_for_others(self, dead=0):
    """The first one has what others look at: it leaves after them."""
    self._client.key_value_set(f'left/{self.index}', '', allow_overwrite=True)
    end = time.monotonic() + 5 * _BEAT
    while not self.index and time.monotonic() < end:
      if len(self._client.key_value_dir_get('left/')) >= self.count - dead:
        time.sleep(0.2)  # Between saying so and being gone.
        return
      time.sleep(0.1)

  def wait_for_the_watch(self) -> None:
    """After what may come of a dead host: the watch ends this process then."""
    time.sleep(1.5 * self._timeout + 3 * _BEAT)

  def end(self) -> None:
    """Leaves together with all others."""
    self.all_gather_object('end', None)
    self._ended.set()
    self._thread.join()


def _number(key):
  return key.rpartition('/')[2]


_group: _Group | None = None


def count() -> int:
  """How many processes train together."""
  return _group.count if _group else 1


def index() -> int:
  """Which of them this one is."""
  return _group.index if _group else 0


def is_first() -> bool:
  """Whether this process writes what is written once."""
  return index() == 0


def all_gather_object(name: str, value: Any) -> list[Any]:
  """What every process gave, by index; waits for all of them.

  Args:
    name: of the purpose. All processes ask in the same order for the same
      purpose, and one thread at a time does.
    value: for JSON; a NaN may be among it.
  """
  return _group.all_gather_object(name, value) if _group else [value]


def broadcast_object(name: str, value: Any) -> Any:
  """What the first process gave."""
  return all_gather_object(name, value if is_first() else None)[0]


def agree_on(config: Mapping[str, Any]) -> None:
  """Refuses to go on where hosts were started with different configs.

  Args:
    config: by dotted key, for JSON.
  """
  text = json.dumps(config, sort_keys=True)
  digest = hashlib.sha256(text.encode()).hexdigest()
  if len(set(all_gather_object('config hash', digest))) == 1:
    return
  ours, *others = all_gather_object('config', json.loads(text))
  for number, theirs in enumerate(others, 1):
    differ = [
      f'{key} (host 0: {ours.get(key)!r}, host {number}: {theirs.get(key)!r})'
      for key in sorted({*ours, *theirs})
      if ours.get(key) != theirs.get(key)
    ]
    if differ:
      raise UserError(
        f'hosts disagree on the config; they differ in {"; ".join(differ)}: '
        'start all with the same command'
      )


@contextlib.contextmanager
def joined(
  where: Address | None, *, start_timeout: int = 300, timeout: float = 60
) -> Iterator[None]:
  """Within this context the process trains together with the others.

  Before anything asks jax for devices. A process that leaves by an error
  prints its line and ends here, and so do all others; who is not heard of for
  `timeout` stops them as well, with exit code 75.

  Args:
    where: as `address` makes it; None does nothing.
    start_timeout: seconds to wait for all processes to be there.
    timeout: seconds after which a silent process counts as dead.
  """
  global _group
  if where is None:
    yield
    return
  _group = _start(where, start_timeout, timeout)
  try:
    yield
    _group.end()
  except Interrupted as error:  # All of them, at the same step.
    _group.end()
    _end(f'error: {errors.one_line(error)}', errors.exit_code(error))
  except (UserError, RunError) as error:
    text, code = errors.one_line(error), errors.exit_code(error)
    _group.fail(text, code)
    _end(f'error: {text}', code)
  except BaseException as error:  # A bug of ours keeps its traceback.
    told = traceback.format_exc()
    if isinstance(error, RuntimeError):  # Or a collective without its peer.
      _group.wait_for_the_watch()
    _group.fail(errors.one_line(error), 1)
    _end(told, 1)
  finally:
    _group = None
  _shut_down()


def _start(where, start_timeout, timeout):
  """The group, once all are there."""
  import jax
  from jax._src import distributed  # The one way to the key-value store.

  _keep_stdout()
  # SIGTERM is ours (`run/preemption.py`).
  jax.config.update('jax_enable_preemption_service', False)
  told = where.coordinator or 'that jax found'
  late = (
    f'not all processes met at the coordinator {told} within '
    f'{start_timeout} s: is it reachable, and were '
    f'{where.count or "all"} of them started?'
  )
  _on_abort(late, 2)
  _reach(where, late, start_timeout)
  try:
    with _quiet():
      jax.distributed.initialize(
        where.coordinator or None,
        where.count or None,
        where.index if where.count else None,
        initialization_timeout=start_timeout,
        # The watch is there before, with a line.
        heartbeat_timeout_seconds=int(3 * timeout) + 10,
        shutdown_timeout_seconds=int(timeout) + 1,
      )
  except ValueError as error:
    raise UserError(
      f'--distributed=auto found no cluster ({errors.one_line(error)}): '
      'give --coordinator, --num_processes and --process_id'
    ) from None
  except (RuntimeError, OSError) as error:
    raise UserError(
      f'cannot start at the coordinator {told}: {errors.one_line(error)}'
    ) from None
  state = distributed.global_state
  _on_abort(
    'the first process is gone, and with it the coordinator '
    f'{state.coordinator_address}: stopped; {_AGAIN}',
    _LOST,
    only_without=state.coordinator_address,
  )
  return _Group(state.client, state.process_id, state.num_processes, timeout)


def _reach(where, late, seconds):
  """Waits for the coordinator's port; jax says less, after a stack trace."""
  if not where.coordinator or not where.index:
    return
  end = time.monotonic() + seconds
  while not _is_there(where.coordinator):
    if time.monotonic() > end:
      raise UserError(late)
    time.sleep(0.1)


def _is_there(coordinator):
  host, _, port = coordinator.rpartition(':')
  try:
    with socket.create_connection((host.strip('[]'), int(port)), timeout=1):
      return True
  except OSError:
    return False


def _shut_down():
  import jax

  jax.distributed.shutdown()
  signal.signal(signal.SIGABRT, signal.SIG_DFL)


@contextlib.contextmanager
def _quiet():
  """What C++ writes on stderr is not shown: it says it in forty lines."""
  global _stderr
  sys.stderr.flush()
  _stderr = os.dup(2)
  with open(os.devnull, 'w') as nowhere:
    os.dup2(nowhere.fileno(), 2)
  try:
    yield
  finally:
    os.dup2(_stderr, 2)
    os.close(_stderr)
    _stderr = 2


def _keep_stdout():
  """What C++ (Gloo) prints there goes to stderr."""
  sys.stdout.flush()
  sys.stdout = os.fdopen(os.dup(1), 'w', buffering=1)
  os.dup2(2, 1)


_stderr = 2


def _end(text, code):
  """Leaves at once: jax would wait for others in its destructors."""
  sys.stdout.flush()
  print(text, file=sys.stderr, flush=True)
  os._exit(code)


def _say_and_leave(text, code):
  os.write(_stderr, f'error: {text}\n'.encode())
  os._exit(code)


_handler: Any = None  # Kept, as C refers to it.


def _on_abort(text, code, only_without=''):
  """Ends with a line where jax's client would abort the process.

  It does so from a thread of C++ as soon as it loses the coordinator, and its
  callback for that cannot be given in Python (jaxlib 0.10: `std::bad_cast`).
  A handler that Python runs between two of its instructions would come too
  late: `abort` does not return.

  Args:
    text: of the line.
    code: to leave with.
    only_without: a coordinator; while it is there, an abort is a bug, and is
      left alone.
  """
  global _handler

  @ctypes.CFUNCTYPE(None, ctypes.c_int)
  def handler(_):
    if not only_without or not _is_there(only_without):
      _say_and_leave(text, code)

  ctypes.CDLL(None).signal(int(signal.SIGABRT), handler)
  _handler = handler
