"""Several processes that train together, mostly one a host.

`joined` starts `jax.distributed`; `pmap` then spreads work over the devices of
all processes. Beside that, processes exchange small objects (the value of a
criterion, a request to stop, that a part of a checkpoint is written) by
`all_gather_object` and `broadcast_object`.

Every decision must be the same in all processes, or they would wait for one
another for ever. No process waits for a dead one: a process that is silent for
a while, or that leaves by an error, stops all others, with a line.
"""

import contextlib
import hashlib
import json
import sys
import traceback
from collections.abc import Iterator, Mapping
from typing import Any

from plasticity_rl import errors
from plasticity_rl.distributed import coordinator
from plasticity_rl.distributed.address import Address
from plasticity_rl.distributed.host_group import HostGroup
from plasticity_rl.errors import Interrupted
from plasticity_rl.errors import RunError
from plasticity_rl.errors import UserError

_group: HostGroup | None = None


def count() -> int:
  """The number of processes that train together."""
  return _group.count if _group else 1


def index() -> int:
  """The number of this process, from 0."""
  return _group.index if _group else 0


def is_first() -> bool:
  """Whether this is the process that writes shared files."""
  return index() == 0


def all_gather_object(name: str, value: Any) -> list[Any]:
  """The values that all processes gave, by index; waits for all of them.

  Args:
    name: of the purpose. For each purpose all processes must call this in the
      same order, from one thread at a time.
    value: for JSON; it may contain NaN.
  """
  return _group.all_gather_object(name, value) if _group else [value]


def broadcast_object(name: str, value: Any) -> Any:
  """The value that the first process gave; waits for all processes."""
  return all_gather_object(name, value if is_first() else None)[0]


def agree_on(config: Mapping[str, Any]) -> None:
  """Checks that all hosts were started with the same config.

  Args:
    config: by dotted key, for JSON.

  Raises:
    UserError: they were not; it names the keys that differ.
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
  """A context in which this process trains together with the others.

  Enter it before anything asks jax for devices. A process that leaves it by an
  error prints one line and exits, and so do all others with the same exit code.
  A process that is silent for `timeout` stops the others with exit code 75.
  Where not all processes are there in time, this process exits with code 2.

  Args:
    where: what `address.from_flags` returns; None does nothing.
    start_timeout: seconds to wait for all processes to be there.
    timeout: seconds after which a silent process counts as dead.

  Raises:
    UserError: the coordinator's address cannot be used, or there is no cluster
      to be found.
  """
  global _group
  if where is None:
    yield
    return
  _group = HostGroup(
    coordinator.connect(where, start_timeout, timeout), timeout
  )
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
  coordinator.disconnect()


def _end(text, code):
  """Ends the process with a text on stderr."""
  sys.stdout.flush()
  sys.stderr.flush()
  coordinator.exit_with(text, code)
