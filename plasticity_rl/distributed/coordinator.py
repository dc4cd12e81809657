"""Joins and leaves the coordinator of `jax.distributed`.

The coordinator runs in the first process. jax aborts a process that waits too
long for it, or that loses it, with a stack trace of C++ and SIGABRT. Here such
a process ends with one line and an exit code instead.

What is not public API of jax is in this file and in `placement.py`, each with
the public replacement that was tried and what failed.
"""

import ctypes
import os
import signal
import socket
import threading
from typing import Any, NamedTuple

from plasticity_rl import errors
from plasticity_rl.distributed.address import Address
from plasticity_rl.errors import UserError

# "Try again" of sysexits: the same command goes on from the last checkpoint.
LOST = 75
RESUME_HINT = 'the same command on all hosts goes on from the last checkpoint'
# Our limits end first, with a line; jax's own come so many seconds later.
_GRACE_SECONDS = 60


class Connection(NamedTuple):
  """This process at the coordinator.

  Attributes:
    client: jax's client of the coordinator's key-value store.
    index: the number of this process, from 0.
    count: the number of processes.
  """

  client: Any
  index: int
  count: int


def connect(address: Address, start_timeout: int, timeout: float) -> Connection:
  """Waits until all processes are there; ends the process if they are late.

  Args:
    address: of the coordinator.
    start_timeout: seconds to wait for all processes.
    timeout: seconds after which a silent process counts as dead.

  Raises:
    UserError: there is no cluster to be found, or the coordinator's address
      cannot be used.
  """
  import jax

  # Nothing public reads the key-value store. Tried: `process_allgather` of
  # `multihost_utils`. It needs every process, so that one that fails cannot
  # tell why: the others saw "connection closed by peer", then SIGABRT.
  from jax._src import distributed

  # SIGTERM is ours (`run/preemption.py`).
  jax.config.update('jax_enable_preemption_service', False)
  name = address.coordinator or 'that jax found'
  late = threading.Timer(
    start_timeout,
    exit_with,
    (
      f'error: not all processes met at the coordinator {name} within '
      f'{start_timeout} s: is it reachable, and were '
      f'{address.count or "all"} of them started?',
      2,
    ),
  )
  late.daemon = True
  late.start()
  try:
    jax.distributed.initialize(
      address.coordinator or None,
      address.count or None,
      address.index if address.count else None,
      initialization_timeout=start_timeout + _GRACE_SECONDS,
      # `HostGroup` notices a dead process before, and says which.
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
      f'cannot start at the coordinator {name}: {errors.one_line(error)}'
    ) from None
  finally:
    late.cancel()
  state = distributed.global_state
  _exit_if_lost(state.coordinator_address)
  return Connection(state.client, state.process_id, state.num_processes)


def disconnect() -> None:
  """Leaves the coordinator, once all processes do."""
  import jax

  jax.distributed.shutdown()
  signal.signal(signal.SIGABRT, signal.SIG_DFL)


def exit_with(text: str, code: int) -> None:
  """Ends the process at once: jax would wait for others in its destructors."""
  os.write(2, f'{text}\n'.encode())
  os._exit(code)


_handler: Any = None  # Kept, as C refers to it.


def _exit_if_lost(coordinator):
  """Ends with a line where jax aborts because the coordinator is gone.

  While the coordinator is there, an abort is a bug, and is left alone.
  """
  global _handler

  # jax aborts from a thread of C++. Tried: a handler of Python's `signal` runs
  # after `abort`, that is never; `jax_enable_recoverability` aborts as well;
  # a thread that watches the coordinator's port loses the race on jax 0.9. (On
  # jax 0.9 nothing helps: it leaves by `_exit(1)`, after its own lines.)
  @ctypes.CFUNCTYPE(None, ctypes.c_int)
  def handler(_):
    if not _is_there(coordinator):
      exit_with(
        'error: the first process is gone, and with it the coordinator '
        f'{coordinator}: stopped; {RESUME_HINT}',
        LOST,
      )

  ctypes.CDLL(None).signal(int(signal.SIGABRT), handler)
  _handler = handler


def _is_there(coordinator):
  host, _, port = coordinator.rpartition(':')
  try:
    with socket.create_connection((host.strip('[]'), int(port)), timeout=1):
      return True
  except OSError:
    return False
