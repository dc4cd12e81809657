"""Preemption: the first signal makes a run save, a second SIGINT kills it."""

import signal
import sys
from types import FrameType


class PreemptionHandler:
  """A context in which SIGTERM and SIGINT set `requested`.

  In nested contexts, a request is passed on to the outer ones.
  """

  def __init__(self):
    self.requested = False
    self._before = {}

  def __enter__(self) -> 'PreemptionHandler':
    for number in (signal.SIGTERM, signal.SIGINT):
      self._before[number] = signal.signal(number, self._handle)
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
    print(
      '\nasked to stop: saving after the current segment',
      file=sys.stderr,
      flush=True,
    )
