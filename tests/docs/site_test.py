"""The site is built, holds together, needs nothing else, and fits a phone."""

import csv
import functools
import html.parser
import pathlib
import re
import shutil
import subprocess
import sys
import urllib.parse

import pytest

import plasticity_rl as pl
from docs import generate
from docs import stage
from tests.docs import pages

CHROMIUM = next(
  filter(
    None, map(shutil.which, ('chromium', 'chromium-browser', 'google-chrome'))
  ),
  None,
)
PHONE, DESKTOP = 390, 1280


class Links(html.parser.HTMLParser):
  """What a page points to, what it loads, and its anchors."""

  def __init__(self, text):
    super().__init__()
    self.links, self.loads, self.anchors = [], [], {''}
    self.feed(text)

  def handle_starttag(self, tag, attributes):
    found = dict(attributes)
    self.anchors |= {found.get('id', ''), found.get('name', '')}
    if tag == 'a' and 'href' in found:
      self.links.append(found['href'])
    elif tag == 'link' and found.get('rel') not in ('canonical',):
      self.loads.append(found['href'])
    elif tag in ('img', 'script', 'iframe', 'source') and 'src' in found:
      self.loads.append(found['src'])


@pytest.fixture(name='site', scope='module')
def fixture_site(tmp_path_factory):
  source, built = (tmp_path_factory.mktemp(x) for x in ('source', 'site'))
  stage.write(source)
  result = subprocess.run(
    [sys.executable, '-m', 'sphinx', '-W', '-q', str(source), str(built)],
    cwd=pages.ROOT,
    capture_output=True,
    text=True,
  )
  assert result.returncode == 0, result.stderr[-4000:]
  return built


@pytest.fixture(name='read', scope='module')
def fixture_read(site):
  @functools.cache
  def read(path):
    return Links(path.read_text())

  return read


@pytest.mark.slow
def test_every_page_is_there(site):
  for name in stage.pages():
    if not name.endswith(generate.NOTES):
      assert (site / name).with_suffix('.html').is_file(), name


@pytest.mark.slow
def test_every_link_within_the_site_leads_somewhere(site, read):
  for path in site.rglob('*.html'):
    for link in (*read(path).links, *read(path).loads):
      parts = urllib.parse.urlsplit(link)
      if parts.scheme in ('https', 'http', 'mailto', 'data'):
        continue
      name = urllib.parse.unquote(parts.path)
      target = path.parent / name if name else path
      assert target.exists(), (path.name, link)
      if parts.fragment and target.suffix == '.html':
        assert parts.fragment in read(target).anchors, (path.name, link)


@pytest.mark.slow
def test_nothing_is_fetched_from_elsewhere(site, read):
  for path in site.rglob('*.html'):
    for load in read(path).loads:
      assert not urllib.parse.urlsplit(load).netloc, (path.name, load)
  for path in site.rglob('*.css'):
    assert not re.search(r'(url\(|@import)\W*(https?:)?//', path.read_text())


@pytest.mark.slow
def test_equations_are_shown_as_they_are_written(site):
  """No subscript is read as emphasis or as a link."""
  text = (site / 'measures' / 'stable_rank.html').read_text()
  assert '||Phi||_F^2 / ||Phi||_2^2 = sum_i s_i^2 / s_1^2' in text
  text = (site / 'methods' / 'redo.html').read_text()
  assert 's_i = E|h_i| / (mean over' in text
  text = (site / 'methods' / 'shrink_and_perturb.html').read_text()
  assert 'theta &lt;- shrink * theta + perturb * noise' in text


# The theme hides what is too wide, so that nothing scrolls: what counts is what
# reaches beyond the edge, and is in no box that scrolls by itself.
_WIDE = """
const names = %s, out = document.getElementById('out');
const frame = document.getElementById('frame');
let i = -1;
function scrolls(element) {
  for (; element.tagName !== 'ARTICLE'; element = element.parentElement) {
    const how = frame.contentWindow.getComputedStyle(element).overflowX;
    if (how === 'auto' || how === 'scroll') return true;
  }
  return false;
}
frame.onload = () => {
  if (i >= 0) {
    const all = [...frame.contentDocument.querySelectorAll('article *')];
    const wide = all.filter(e => !scrolls(e) &&
      e.getBoundingClientRect().right > frame.contentWindow.innerWidth + 1);
    out.textContent += `${names[i]} ${all.length} ${wide.length}\\n`;
  }
  if (++i < names.length) frame.src = '%s/' + names[i];
};
frame.onload();
"""


@pytest.mark.slow
@pytest.mark.skipif(not CHROMIUM, reason='there is no Chromium')
@pytest.mark.parametrize('width', (PHONE, DESKTOP))
def test_nothing_reaches_beyond_the_edge(site, width, tmp_path):
  """Of pages in a frame as wide as a phone, or as a desktop."""
  pattern = '**/*.html' if width == PHONE else '*.html'
  names = sorted(p.relative_to(site).as_posix() for p in site.glob(pattern))
  names = [n for n in names if n not in ('genindex.html', 'search.html')]
  frame = tmp_path / 'frame.html'
  frame.write_text(
    f'<iframe id=frame width={width} height=800></iframe><pre id=out></pre>'
    f'<script>{_WIDE % (names, site.as_uri())}</script>'
  )
  result = subprocess.run(
    [
      *(CHROMIUM, '--headless', '--no-sandbox', '--disable-gpu'),
      *('--allow-file-access-from-files', '--virtual-time-budget=200000'),
      *(f'--user-data-dir={tmp_path / "profile"}', '--dump-dom'),
      frame.as_uri(),
    ],
    capture_output=True,
    text=True,
    timeout=300,
  )
  rows = re.findall(r'^(?:.*>)?(\S+\.html) (\d+) (\d+)$', result.stdout, re.M)
  assert [name for name, *_ in rows] == names, result.stderr[-2000:]
  assert all(int(seen) > 5 for _, seen, _ in rows)
  assert [row for row in rows if int(row[2])] == []


# --- Without building it ----------------------------------------------------


def test_every_result_is_listed_once_with_its_command():
  names = [name for names in generate.findings().values() for name in names]
  assert len(set(names)) == len(names)
  index = generate.results_index()
  for name in names:
    command = generate.command((generate.RESULTS / f'{name}.md').read_text())
    assert command, name
    assert f']({name}.md)\n\n    {command}\n' in index


def test_a_result_that_has_no_group_comes_last(monkeypatch):
  monkeypatch.setattr(generate, 'FINDINGS', {'One': ('null',)})
  groups = generate.findings()
  assert [*groups] == ['One', 'More']
  assert 'calibration' in groups['More'] and 'null' not in groups['More']


def test_the_face_is_described_whole():
  named = {name for _, names in generate.FACE.values() for name in names}
  members = {
    f'{module}.{name}'
    for module in ('measures', 'losses')
    for name in getattr(pl, module).__all__
  }
  assert named == {*pl.__all__, *members} - {
    'measures',
    'losses',
    '__version__',
  }


@pytest.mark.parametrize('folder', ('methods', 'measures'))
def test_the_index_says_when_to_use_each(folder):
  text = (pages.ROOT / 'docs' / folder / 'index.md').read_text()
  linked = set(re.findall(r'\]\((\w+)\.md\)', text))
  assert linked == {
    name
    for kind, registry in generate.KINDS.items()
    if generate.FOLDERS[kind] == folder
    for name in registry
  }


def test_what_was_measured_of_a_method_is_on_its_page():
  rows = generate.measured()
  names = {name for registry in generate.KINDS.values() for name in registry}
  assert {page for *_, page in rows if page} <= names
  # Those without a page are the network itself, trained otherwise.
  assert {method for _, method, _, _, page in rows if not page} == {
    'Adam, larger eps',
    'Adam, b1 = b2',
    'AdamW',
    'plain, tuned',
  }
  made = generate.pages()
  assert 'redo(tau=0.025, every_steps=500)' in made['methods/redo.md']
  assert made['methods/redo.md'].count('| ReDo |') == 3


@pytest.mark.parametrize(
  'page, name',
  [
    ('methods/redo', 'redo'),
    ('methods/l2', 'losses.l2'),
    ('measures/srank', 'measures.srank'),
  ],
)
def test_a_page_leads_to_what_the_face_has_of_it(page, name):
  assert f'<plasticity_rl.{name}>' in generate.pages()[f'{page}.md']


def test_links_of_pages_outside_the_site_are_files():
  for name in (*pages.OUTSIDE, 'CHANGELOG.md'):
    text = (pages.ROOT / name).read_text()
    for link in re.findall(r'\]\(([^)\s]+)\)', text):
      if not link.startswith('http'):
        path = pathlib.Path(pages.ROOT / name).parent / link.split('#')[0]
        assert path.exists(), (name, link)


# --- What the pages say of results ------------------------------------------


def test_the_readme_is_short_and_opens_with_the_picture():
  lines = (pages.ROOT / 'README.md').read_text().splitlines()
  assert len(lines) < 120
  assert 'results/talk/cases.svg' in '\n'.join(lines[:8])


def test_claims_of_the_flat_curves_are_told_as_they_were_decided():
  """The picture's claims, each with the outcome that claims.csv has."""
  with (generate.RESULTS / 'talk' / 'claims.csv').open() as file:
    outcomes = {row['claim']: row['outcome'] for row in csv.DictReader(file)}
  text = (pages.ROOT / 'docs' / 'flat_curves.md').read_text()
  told = dict(re.findall(r'\| `(\w+)` \| ([\w ]+?) \|', text))
  assert told == {claim: outcomes[claim] for claim in told}
  assert {'exploration_limited', 'capacity_limited', 'healthy'} <= set(told)
  readme = (pages.ROOT / 'README.md').read_text()
  assert ('**not shown**' in readme) == (outcomes['healthy'] != 'shown')
  assert ('not in the picture yet' in ' '.join(readme.split())) == (
    'lost' not in outcomes
  )
