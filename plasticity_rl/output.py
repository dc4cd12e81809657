"""What a command prints, also where nobody can read it.

Imports only the standard library, since `doctor` needs it where packages are
missing.
"""

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any, TextIO


class Lenient:
  """A text stream whose reader may be gone, or may not know all letters.

  `head` closes its pipe, and a terminal may be closed: then a command goes on,
  and what it prints is lost. A letter that the encoding lacks is escaped.
  """

  def __init__(self, stream: TextIO):
    self._stream = stream

  def write(self, text: str) -> int:
    """Writes what can be written; returns the length of the text."""
    try:
      self._stream.write(text)
    except UnicodeEncodeError:
      encoding = self._stream.encoding
      escaped = text.encode(encoding, 'backslashreplace').decode(encoding)
      self.write(escaped)
    except OSError:
      self._discard()
    return len(text)

  def flush(self) -> None:
    """Flushes, unless nobody reads."""
    try:
      self._stream.flush()
    except OSError:
      self._discard()

  def _discard(self) -> None:
    """Sends what is buffered, and all that follows, to nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
      os.dup2(nowhere, self._stream.fileno())
    finally:
      os.close(nowhere)

  def __getattr__(self, name: str) -> Any:
    return getattr(self._stream, name)


@contextlib.contextmanager
def lenient() -> Iterator[None]:
  """Makes stdout and stderr `Lenient`, and flushes them at the end."""
  out, err = Lenient(sys.stdout), Lenient(sys.stderr)
  with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
    try:
      yield
    finally:
      out.flush()
      err.flush()
