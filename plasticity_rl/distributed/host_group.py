"""The processes of one run, as one of them sees the others.

A `HostGroup` lets the processes exchange small objects and watches that all of
them are alive. Both go through the key-value store of jax's coordinator, so
that no device has to stop for it.
"""

import contextlib
import json
import threading
import time
from typing import Any

from plasticity_rl.distributed import coordinator
from plasticity_rl.distributed.coordinator import LOST
from plasticity_rl.distributed.coordinator import RESUME_HINT

_HEARTBEAT_SECONDS = 1.0
_WAIT_MS = 600_000


class HostGroup:
  """The processes of one run.

  Attributes:
    index: the number of this process, from 0.
    count: the number of processes.
  """

  def __init__(self, connection: coordinator.Connection, timeout: float):
    """Starts to watch the other processes.

    Args:
      connection: to the coordinator.
      timeout: seconds after which a silent process counts as dead.
    """
    self._client, self.index, self.count = connection
    self._numbers: dict[str, int] = {}
    self._timeout = timeout
    self._ended = threading.Event()
    self._thread = threading.Thread(target=self._watch, daemon=True)
    self._thread.start()

  def all_gather_object(self, name: str, value: Any) -> list[Any]:
    """The values that all processes gave, by index; waits for all of them."""
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

  def _watch(self):
    """Sends heartbeats and reads those of the others; may end the process."""
    # By process, the last heartbeat and when it was first seen. A process may
    # die before its first one.
    begun = time.monotonic()
    beats = {f'beat/{i}': ('', begun) for i in range(self.count)}
    number, fails = 0, 0
    while not self._ended.wait(min(_HEARTBEAT_SECONDS, self._timeout / 5)):
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
        coordinator.exit_with(
          f'error: the first process is gone: stopped; {RESUME_HINT}', LOST
        )
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
          f'for {self._timeout:g} s: stopped; {RESUME_HINT}',
          LOST,
          len(silent),
        )

  def _leave(self, text, code, dead=0):
    with contextlib.suppress(RuntimeError):  # It may be gone by now.
      self._wait_for_others(dead)
    coordinator.exit_with(f'error: {text}', code)

  def fail(self, text: str, code: int) -> None:
    """Tells the others that this process ends, and why.

    Args:
      text: the error, in one line.
      code: the exit code, of the others too.
    """
    self._ended.set()
    # Where the first process is gone, there is nobody to tell.
    with contextlib.suppress(RuntimeError):
      self._client.key_value_set(
        f'failed/{self.index}', json.dumps({'text': text, 'code': code})
      )
      self._wait_for_others()

  def _wait_for_others(self, dead=0):
    """Lets the first process leave last: it has what the others read."""
    self._client.key_value_set(f'left/{self.index}', '', allow_overwrite=True)
    end = time.monotonic() + 5 * _HEARTBEAT_SECONDS
    while not self.index and time.monotonic() < end:
      if len(self._client.key_value_dir_get('left/')) >= self.count - dead:
        time.sleep(0.2)  # Between saying so and being gone.
        return
      time.sleep(0.1)

  def wait_for_the_watch(self) -> None:
    """Waits for as long as the watch takes to notice a dead process.

    Of a dead process it says more than the error that led here.
    """
    time.sleep(1.5 * self._timeout + 3 * _HEARTBEAT_SECONDS)

  def end(self) -> None:
    """Leaves together with all others."""
    self.all_gather_object('end', None)
    self._ended.set()
    self._thread.join()


def _number(key):
  return key.rpartition('/')[2]
