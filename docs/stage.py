"""Writes all pages of the site into a folder that Sphinx reads.

  python -m docs.stage build/docs

What is in docs/, what is made (`docs/generate.py`), and results/. Nothing of it
goes into git.
"""

import pathlib
import re
import shutil
import sys
from collections.abc import Iterator, Sequence

from docs import generate

HERE = pathlib.Path(__file__).resolve().parent
_TABLE = '<!-- table of results/methods -->'
# The order of the pages: (caption, pages).
_TOP = (
  ('', ('flat_curves', 'use_in_your_agent', 'FAQ <faq>')),
  (
    'How to',
    (
      'fork_your_own_agent',
      'checkpoints',
      'watch',
      'environments',
      'own_method',
      'launching',
      'resume',
      'scaling',
      'boundaries',
    ),
  ),
  (
    'Reference',
    ('methods/index', 'measures/index', 'Statistics <verdict>', 'api/index'),
  ),
  ('Results', ('results/index',)),
)


def _tree(caption: str, pages: Sequence[str]) -> str:
  """What puts pages into the navigation."""
  options = [':hidden:', *([f':caption: {caption}'] if caption else [])]
  return '\n'.join(['', '```{toctree}', *options, '', *pages, '```', ''])


def _navigation() -> Iterator[tuple[str, str]]:
  """For the page that leads to others: its name, and what is added to it."""
  for caption, pages in _TOP:
    yield 'index.md', _tree(caption, pages)
  for kind, registry in generate.KINDS.items():
    folder = generate.FOLDERS[kind]
    caption = kind if folder == 'methods' else ''
    yield f'{folder}/index.md', _tree(caption, sorted(registry))
  yield 'api/index.md', _tree('', tuple(generate.FACE))
  for group, names in generate.findings().items():
    yield 'results/index.md', _tree(group, names)


def _text(name: str, text: str) -> str:
  """A page of docs/ where the site has it: results/ is beside it there."""
  up = '../' * (len(pathlib.PurePosixPath(name).parts) - 1)
  text = re.sub(rf'\]\({re.escape(up)}\.\./results/', f']({up}results/', text)
  return text.replace(_TABLE, generate.methods_table())


def pages() -> dict[str, str]:
  """The text of every page, by its path on the site."""
  found = dict(generate.pages())
  for path in sorted(HERE.rglob('*.md')):
    name = path.relative_to(HERE).as_posix()
    found[name] = _text(name, path.read_text())
  for path in sorted(generate.RESULTS.rglob('*.md')):
    found[path.relative_to(generate.ROOT).as_posix()] = path.read_text()
  for name, added in _navigation():
    found[name] += added
  return found


def write(folder: pathlib.Path) -> None:
  """Writes the source of the site; what was there before is removed."""
  shutil.rmtree(folder, ignore_errors=True)
  for name, text in pages().items():
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
  for root, name in ((HERE, ''), (generate.RESULTS, 'results')):
    for path in root.rglob('*'):
      if path.suffix in ('.svg', '.png', '.css'):
        target = folder / name / path.relative_to(root)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
  shutil.copy(HERE / 'conf.py', folder)


if __name__ == '__main__':
  write(pathlib.Path(sys.argv[1]))
