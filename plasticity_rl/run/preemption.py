"""Stopping when asked: the first signal saves, the second one kills."""

import signal
import sys
from types import FrameType


class PreemptionHandler:
  """Within this context SIGTERM and SIGINT set `requested`."""

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
      # What came too late for this run is for the one after it.
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
