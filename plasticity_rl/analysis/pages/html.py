"""Parts of a self-contained page: no scripts, nothing fetched, all escaped."""

import html
import json
import urllib.parse
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from plasticity_rl.analysis.pages import svg

_STYLE = """
* { box-sizing: border-box; }
body { margin: 0; background: var(--bg); color: var(--fg);
  font: 16px/1.55 system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif; }
main { max-width: 900px; margin: 0 auto; padding: 28px 20px 72px; }
h1 { font-size: clamp(1.9rem, 6vw, 2.9rem); line-height: 1.1;
  margin: .1em 0 .3em;
  letter-spacing: -.02em; color: var(--tone, var(--fg)); }
.verdict h1::first-letter { text-transform: uppercase; }
h2 { font-size: 1.3rem; margin: 2.6em 0 .3em; letter-spacing: -.01em; }
p { margin: .5em 0; max-width: 70ch; }
a { color: var(--accent); }
.eyebrow { font-weight: 600; margin: 0; }
.over { color: var(--muted); font-size: .86rem; margin: 0;
  overflow-wrap: anywhere;
  max-width: none; }
.lead { font-size: 1.14rem; }
.quiet { color: var(--muted); font-size: .9rem; }
.verdict { border-left: 5px solid var(--tone); background: var(--panel);
  padding: 20px 24px 22px; border-radius: 4px 10px 10px 4px; }
.tiles { display: flex; flex-wrap: wrap; gap: 12px 36px; margin: 18px 0 0; }
.tiles div { min-width: 0; }
.tiles dt { color: var(--muted); font-size: .8rem; }
.tiles dd { margin: 0; font-size: 1.18rem; font-weight: 600;
  white-space: nowrap;
  font-variant-numeric: tabular-nums; }
.note { border-left: 3px solid var(--arm-2); padding: 2px 0 2px 14px; }
figure { margin: 14px 0 6px; }
figure svg { display: block; width: 100%; height: auto; overflow: visible; }
svg text { font-family: system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif
  !important; }
figcaption { color: var(--muted); font-size: .88rem; margin-top: 4px;
  max-width: 80ch; }
.narrow { display: none; }
@media (max-width: 620px) { .narrow { display: block; } .wide { display: none;
  } }
.grid { display: grid; gap: 14px 26px;
  grid-template-columns: repeat(auto-fill, minmax(min(250px, 100%), 1fr)); }
.grid figure { margin: 0; }
.pair { grid-template-columns:
  repeat(auto-fill, minmax(min(330px, 100%), 1fr)); }
.legend { display: flex; flex-wrap: wrap; gap: 2px 18px; font-size: .9rem;
  margin: 6px 0 12px; padding: 0; list-style: none; }
.legend li::before { content: ''; display: inline-block; width: 16px;
  height: 4px;
  border-radius: 2px; background: var(--c); margin-right: 7px;
  vertical-align: middle; }
.scroll { overflow-x: auto; margin: 10px 0; }
table { border-collapse: collapse; font-size: .92rem; min-width: 100%;
  font-variant-numeric: tabular-nums; }
th, td { padding: 6px 14px 6px 0; text-align: right; white-space: nowrap;
  border-bottom: 1px solid var(--grid); }
th { color: var(--muted); font-weight: 500; font-size: .84rem;
  vertical-align: bottom; }
th:first-child, td:first-child { text-align: left; }
pre { background: var(--panel); border-radius: 8px; padding: 12px 14px;
  overflow-x: auto; font-size: .84rem; line-height: 1.45; }
code { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
details { margin: 8px 0; border-top: 1px solid var(--grid); padding-top: 8px; }
summary { cursor: pointer; font-weight: 500; }
.facts { display: grid; grid-template-columns: max-content 1fr; gap: 3px 18px;
  font-size: .92rem; margin: 8px 0; }
.facts dt { color: var(--muted); } .facts dd { margin: 0;
  overflow-wrap: anywhere; }
@media print { details > * { display: block; } main { max-width: none; } }
"""


class Html(str):
  """Text that is markup already; every other text is escaped by `esc`."""

  __slots__ = ()


def esc(text: object) -> Html:
  """Text made safe for a page; markup passes."""
  return text if isinstance(text, Html) else Html(html.escape(str(text)))


def join(parts: Iterable[object], glue: str = '\n') -> Html:
  """Parts one after the other, escaped where they are plain text."""
  return Html(glue.join(esc(p) for p in parts))


def tag(name: str, *children: object, **attributes: str) -> Html:
  """An element; attributes are escaped, `class_` is class."""
  listed = ''.join(
    f' {k.rstrip("_").replace("_", "-")}="{html.escape(v)}"'
    for k, v in attributes.items()
  )
  return Html(f'<{name}{listed}>{join(children, "")}</{name}>')


def colored(text: object, color: int, bold: bool = False) -> Html:
  """Text in the colour of an arm."""
  style = f'color:{svg.css_variable(color)}'
  return tag('span', text, style=style + (';font-weight:650' if bold else ''))


def table(header: Sequence[object], rows: Iterable[Sequence[object]]) -> Html:
  """A table that scrolls inside a box of its own."""
  head = tag('tr', *(tag('th', c) for c in header))
  body = [tag('tr', *(tag('td', c) for c in row)) for row in rows]
  return tag(
    'div',
    tag('table', tag('thead', head), tag('tbody', *body)),
    class_='scroll',
    tabindex='0',
  )


def facts(pairs: Iterable[tuple[object, object]], class_: str) -> Html:
  """A list of terms and values: `facts` under each other, or `tiles`."""
  if class_ == 'tiles':
    cells = [tag('div', tag('dt', k), tag('dd', v)) for k, v in pairs]
  else:
    cells = [join((tag('dt', k), tag('dd', v)), '') for k, v in pairs]
  return tag('dl', *cells, class_=class_)


def legend(entries: Iterable[tuple[str, int]]) -> Html:
  """Names with the colours that figures give them."""
  items = [
    tag('li', name, style=f'--c:{svg.css_variable(color)}')
    for name, color in entries
  ]
  return tag('ul', *items, class_='legend')


def download(name: str, text: str) -> Html:
  """A link that holds a file."""
  data = 'data:text/csv;charset=utf-8,' + urllib.parse.quote(text)
  return tag('a', 'data (CSV)', href=data, download=name)


def chart(
  wide: str, narrow: str | None, caption: str, data: tuple[str, str]
) -> Html:
  """A figure with its caption and data; a second drawing for phones."""
  if narrow is None:
    drawing = Html(wide)
  else:
    drawing = join(
      (
        tag('div', Html(wide), class_='wide'),
        tag('div', Html(narrow), class_='narrow'),
      ),
      '',
    )
  said = tag('figcaption', caption, ' ' if caption else '', download(*data))
  return tag('figure', drawing, said)


def small(drawing: str) -> Html:
  """One panel of a grid of figures."""
  return tag('figure', Html(drawing))


def record_section(records: Mapping[str, Mapping[str, Any]]) -> Html:
  """How runs were made: command, machine, revision, versions, config.

  Args:
    records: title -> `config.json` of a run; the first is shown in the open.
  """
  parts = [tag('h2', 'How it was made')]
  for i, (title, record) in enumerate(records.items()):
    versions = record.get('versions')
    versions = versions if isinstance(versions, Mapping) else {}
    said = [
      tag('pre', tag('code', record.get('command') or 'command unknown')),
      facts(
        [
          ('machine', record.get('machine') or 'unknown'),
          ('git revision', record.get('git_revision') or 'unknown'),
          (
            'versions',
            ', '.join(f'{k} {v}' for k, v in versions.items()) or 'unknown',
          ),
        ],
        'facts',
      ),
      tag(
        'details',
        tag('summary', 'Config'),
        tag(
          'pre',
          tag(
            'code',
            json.dumps(record.get('config'), indent=2, ensure_ascii=False),
          ),
        ),
      ),
    ]  # pyformat: disable
    if i == 0:
      if len(records) > 1:
        parts.append(tag('p', title, class_='quiet'))
      parts += said
    else:
      parts.append(tag('details', tag('summary', title), *said))
  return join(parts)


def page(title: str, *sections: object, tone: str = 'fg') -> str:
  """The whole document.

  Args:
    title: of the window.
    *sections: markup.
    tone: CSS variable that the headline takes its colour from.
  """
  style = f'{svg.css()}\n{_STYLE}\nmain {{ --tone: var(--{tone}); }}'
  return (
    '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
    '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
    '<link rel="icon" href="data:,">\n'
    f'<title>{esc(title)}</title>\n<style>\n{style}\n</style>\n</head>\n'
    f'<body>\n<main>\n{join(sections)}\n</main>\n</body>\n</html>\n'
  )
