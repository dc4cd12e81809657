"""Preemption: the first signal makes a run save, a second SIGINT kills it."""

import contextlib
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

# A scheduler's, Ctrl-C, and a terminal that is closed.
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def listen(handler: Callable[[int, FrameType | None], Any]) -> dict[int, Any]:
  """Calls a handler at each of `SIGNALS`.

  Except at a SIGHUP that is ignored already, as `nohup` asks, and except in a
  thread, where Python takes no handlers.

  Returns:
    The handlers before, by signal.
  """
  if threading.current_thread() is not threading.main_thread():
    return {}
  return {
    number: signal.signal(number, handler)
    for number in SIGNALS
    if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN
  }


class PreemptionHandler:
  """A context in which a signal of `SIGNALS` sets `requested`.

  In nested contexts, a request is passed on to the outer ones.
  """

  def __init__(self):
    self.requested = False
    self._before = {}

  def __enter__(self) -> 'PreemptionHandler':
    self._before = listen(self._handle)
    return self

  def __exit__(self, *error) -> None:
    for number, handler in self._before.items():
      signal.signal(number, handler)
      # A request that came too late for this run must stop the next one.
      outer = getattr(handler, '__self__', None)
      if self.requested and isinstance(outer, PreemptionHandler):
        outer.requested = True

  def _handle(self, number: int, frame: FrameType | None) -> None:
    del frame
    if self.requested and number == signal.SIGINT:
      raise KeyboardInterrupt
    self.requested = True
    with contextlib.suppress(OSError):  # The terminal may be closed.
      print(
        '\nasked to stop: saving after the current segment',
        file=sys.stderr,
        flush=True,
      )
