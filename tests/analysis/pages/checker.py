"""What must hold of every page."""

import re
import xml.etree.ElementTree
from html.parser import HTMLParser

_VOID = {'meta', 'link', 'br', 'hr', 'img', 'input'}


class _Checker(HTMLParser):
  """Checks that every element is closed by its own end."""

  def __init__(self):
    super().__init__()
    self.open, self.tags, self.ids, self.text = [], [], [], []

  def handle_starttag(self, tag, attrs):
    self.tags.append((tag, dict(attrs)))
    self.ids += [v for k, v in attrs if k == 'id']
    if tag not in _VOID:
      self.open.append(tag)

  def handle_startendtag(self, tag, attrs):
    self.tags.append((tag, dict(attrs)))

  def handle_endtag(self, tag):
    assert self.open.pop() == tag

  def handle_data(self, data):
    self.text.append(data)


def check(page):
  """The page parsed, after what must hold of every page."""
  checker = _Checker()
  checker.feed(page)
  checker.close()
  assert not checker.open
  assert len(checker.ids) == len(set(checker.ids))
  # Nothing is fetched: no address but data: and #, no script, no import.
  assert not re.search(r'https?:|//[a-z]|@import|\bsrc=', page, re.I)
  assert not any(t == 'script' for t, _ in checker.tags)
  for target in re.findall(r'(?:href="|url\()([^")]*)', page):
    assert target.startswith(('data:', '#')), target
  assert not re.search(r'#0102[0-9a-f]{2}', page)  # No sentinel is left.
  drawings = re.findall(r'<svg.*?</svg>', page, re.S)
  for drawing in drawings:
    xml.etree.ElementTree.fromstring(drawing)
  assert (
    'meta',
    {'name': 'viewport', 'content': 'width=device-width, initial-scale=1'},
  ) in checker.tags  # pyformat: disable
  assert 'prefers-color-scheme: dark' in page
  return checker, drawings
