"""How Sphinx builds the site, from the folder that `docs/stage.py` writes.

Nothing is fetched when a page is read: no web fonts, no scripts from elsewhere.
"""

import re
from typing import Any

import plasticity_rl as pl

project = 'plasticity_rl'
author = 'The plasticity_rl authors'
project_copyright = author
version = release = pl.__version__

extensions = ['myst_parser', 'sphinx.ext.autodoc', 'sphinx.ext.napoleon']
# Those that results/ has for notes are not linked.
exclude_patterns = ['results/**/NOTES.md', 'results/**/EXPLORED.md']
myst_heading_anchors = 3
nitpicky = False
highlight_language = 'text'

html_theme = 'furo'
html_title = 'plasticity_rl'
html_static_path = ['style.css']
html_css_files = ['style.css']
html_show_copyright = False
html_copy_source = False

# In docstrings `x` is code.
default_role = 'code'
autodoc_typehints = 'none'
autodoc_class_signature = 'mixed'
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
maximum_signature_line_length = 60

_CODE = re.compile(r'(``.+?``|`[^`]+`)', re.DOTALL)
_MARKUP = re.compile(r'([\\|*_])')


def _plain(
  _app: Any, _what: str, _name: str, _obj: Any, _o: Any, lines: list[str]
) -> None:
  """Equations in docstrings are plain text: what RST reads in them is escaped.

  `||W||_F^2` is no substitution, `h_i` no link and `t*` no emphasis. Examples
  and indented equations are left as they are.
  """
  found: list[str] = []
  before_sections = True
  for block in '\n'.join(lines).split('\n\n'):
    before_sections &= not block.startswith('Args:')
    if before_sections and block.startswith('    '):
      found += ['::', '']
    elif '>>> ' not in block:
      parts = _CODE.split(block)
      parts[::2] = [_MARKUP.sub(r'\\\1', part) for part in parts[::2]]
      block = ''.join(parts)
    found += [*block.split('\n'), '']
  lines[:] = found


def setup(app: Any) -> None:
  """Called by Sphinx."""
  app.connect('autodoc-process-docstring', _plain, priority=1)
