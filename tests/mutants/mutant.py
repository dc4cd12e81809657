"""What a fault is."""

import re
from typing import NamedTuple


class Mutant(NamedTuple):
  """A fault.

  Attributes:
    name: what is wrong, in a few words; the name to run it by.
    file: where, from the root of the project.
    original: line or lines as they are, however formatted; there once.
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

  def apply(self, text: str) -> tuple[str, int]:
    """The text with the fault, and how often the original was found in it.

    Matched by tokens: white space, quotes and commas before a closing bracket
    may differ, so that a formatter moves no mutant.
    """
    pattern = _pattern(self.original)
    count = len(pattern.findall(text))
    if count != 1:
      return text, count
    (match,) = pattern.finditer(text)
    first = self.original.lstrip('\n')
    before = text[: match.start()]
    begin = len(before) - min(
      len(first) - len(first.lstrip(' ')), len(before) - len(before.rstrip(' '))
    )
    end = match.end()
    if self.original.endswith('\n') and text[end : end + 1] == '\n':
      end += 1
    return text[:begin] + self.replacement.lstrip('\n') + text[end:], 1


def _pattern(original):
  tokens = re.findall(r'\w+|[^\w\s]', original)
  parts = []
  for i, token in enumerate(tokens):
    if token in '\'"':
      parts.append('[\'"]')
    elif token == ',' and i + 1 < len(tokens) and tokens[i + 1] in ')]}':
      parts.append(',?')
    elif token in ')]}':
      parts.append(r'(?:,\s*)?' + re.escape(token))
    else:
      parts.append(re.escape(token))
  return re.compile(r'\s*'.join(parts))
