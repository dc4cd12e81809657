"""The pages that people read, and the blocks in them."""

import pathlib
import re
import shlex
import textwrap
from typing import NamedTuple

ROOT = pathlib.Path(__file__).resolve().parents[2]
OUTSIDE = ('README.md', 'CONTRIBUTING.md', 'WORKSPACE.md')
_FENCE = re.compile(r'^( *)```([^\n]*)\n(.*?)^\1```$', re.DOTALL | re.MULTILINE)


class Block(NamedTuple):
  """A fenced block: its page, language, text, and number on the page."""

  page: str
  language: str
  text: str
  number: int

  @property
  def id(self):
    return f'{self.page}-{self.number}'


def pages():
  """All pages by name; the first one comes first."""
  names = [
    'docs/index.md',
    *OUTSIDE,
    *sorted(
      path.relative_to(ROOT).as_posix() for path in ROOT.glob('docs/**/*.md')
    ),
  ]
  return {name: (ROOT / name).read_text() for name in dict.fromkeys(names)}


def blocks():
  return [
    Block(name, match[2], textwrap.dedent(match[3]), number)
    for name, text in pages().items()
    for number, match in enumerate(_FENCE.finditer(text))
  ]


def commands(block):
  """The words of each command of a block, without comments."""
  lines = block.text.replace('\\\n', ' ').splitlines()
  found = (shlex.split(line, comments=True) for line in lines)
  return [words for words in found if words]
