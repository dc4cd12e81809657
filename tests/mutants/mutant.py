"""What a fault is."""

from typing import NamedTuple


class Mutant(NamedTuple):
  """A fault.

  Attributes:
    name: what is wrong, in a few words; the name to run it by.
    file: where, from the root of the project.
    original: line or lines as they are; there once.
    replacement: what they become.
    tests: ids of tests of which one has to fail.
    source: whose fault it was.
  """

  name: str
  file: str
  original: str
  replacement: str
  tests: tuple[str, ...]
  source: str = ''
