import json
import re
import urllib.parse
import xml.etree.ElementTree
from html.parser import HTMLParser

import numpy as np
import pytest

from plasticity_rl.analysis import runs
from plasticity_rl.analysis.pages import diagnosis_page
from plasticity_rl.analysis.pages import figures
from plasticity_rl.analysis.pages import html
from plasticity_rl.analysis.pages import runs_page
from plasticity_rl.analysis.pages import svg
from plasticity_rl.analysis.study import scores
from plasticity_rl.analysis.verdict import diagnosis

_VOID = {'meta', 'link', 'br', 'hr', 'img', 'input'}
_EVIL = '<script>alert("x&y")</script>$_{'


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


@pytest.fixture(scope='module')
def loaded(synthetic, tmp_path_factory):
  path = tmp_path_factory.mktemp('page') / 'd'
  arms = {'control': 0.0, 'injection': 0.5, 'head_reset': 0.4}
  return diagnosis.load(synthetic.write_diagnosis(path, arms=arms))


@pytest.fixture(scope='module')
def page(loaded):
  return diagnosis_page.build(loaded)


def test_page_of_a_diagnosis(loaded, page):
  checker, drawings = check(page)
  text = ' '.join(checker.text)
  v = loaded.verdict
  assert v.verdict in checker.text  # The heading holds it alone.
  for said in (
    '95 % interval',
    'sign-flip test',
    'p = 0.002',
    '0.2',
    'eval/return',
    'greedy actions kept',
    '0123456789abcdef',
    'python -m plasticity_rl.diagnose --config=catch.py',
    '2 x some cpu',
    'jax 0.10.2',
    'learning_rate',
    '343 G',
  ):
    assert said in text, said  # pyformat: disable
  # Curves and differences twice (wide, narrow), 4 at the fork, 5 in time.
  assert len(drawings) == 2 + 2 + 4 + 5
  assert page == diagnosis_page.build(loaded)


def test_data_of_figures_can_be_downloaded(loaded, page):
  checker, _ = check(page)
  files = {
    a['download']: urllib.parse.unquote(a['href'].split(',', 1)[1])
    for t, a in checker.tags
    if t == 'a' and 'download' in a
  }
  assert set(files) == {
    'learning_curves.csv',
    'differences.csv',
    'at_fork.csv',
    'diagnostics.csv',
    'compute.csv',
  }  # pyformat: disable
  lines = files['differences.csv'].splitlines()
  assert lines[0] == 'arm,seed,difference' and len(lines) == 1 + 2 * 10
  arm, seed, value = lines[1].split(',')
  assert (arm, seed) == ('injection', '1')
  assert float(value) == pytest.approx(loaded.verdict.arms[0].differences[0])
  assert 'prefix,1,0,' in files['learning_curves.csv']


@pytest.mark.parametrize(
  'seeds, interval',
  (
    (5, 'Student’s t'),
    (6, 'studentised bootstrap'),
  ),
)
def test_what_numbers_are_is_said_as_it_is(
  synthetic, tmp_path, seeds, interval
):
  folder = synthetic.write_diagnosis(
    tmp_path / 'd', seeds=seeds, arms={'control': 0.0, 'injection': 0.5}
  )
  page = diagnosis_page.build(diagnosis.load(folder))
  assert f'95 % interval ({interval}). p: exact' in page
  # A ledger is of one seed, and its seconds are of the program.
  assert 'FLOPs of one seed' in page and 'FLOPs of all seeds' not in page


def test_names_are_escaped(synthetic, tmp_path):
  evil = _EVIL.replace('/', '_')  # A name of a folder.
  path = synthetic.write_diagnosis(
    tmp_path / 'd', seeds=6, arms={'control': 0, 'injection': 0, evil: 1}
  )
  config = path / 'prefix' / 'config.json'
  record = json.loads(config.read_text())
  record |= {'command': _EVIL, 'machine': _EVIL, 'git_revision': _EVIL}
  record['config']['agent']['name'] = _EVIL
  config.write_text(json.dumps(record))
  page = diagnosis_page.build(diagnosis.load(path))
  checker, _ = check(page)
  assert '<script' not in page
  assert evil in ' '.join(checker.text)


def test_page_without_what_is_optional(synthetic, tmp_path):
  path = synthetic.write_diagnosis(tmp_path / 'd', seeds=1)
  (path / 'prefix' / 'metrics.csv').unlink()
  for arm in (path / 'arms').iterdir():
    (arm / 'ledger.json').unlink()
    fork = json.loads((arm / 'fork.json').read_text())
    del fork['at_fork']
    (arm / 'fork.json').write_text(json.dumps(fork))
    record = json.loads((arm / 'config.json').read_text())
    (arm / 'config.json').write_text(json.dumps({'config': record['config']}))
  checker, _ = check(diagnosis_page.build(diagnosis.load(path)))
  text = ' '.join(checker.text)
  assert 'undecided (for this network only)' in text.replace('  ', ' ')


def test_page_of_runs(synthetic, tmp_path):
  rng = np.random.default_rng(0)
  loaded = []
  for name in ('catch', 'breakout'):
    for rate in (0.1, 0.2):
      folder = tmp_path / f'{name}{rate}'
      synthetic.write_run(
        folder,
        (0, 500, 1000),
        rng.normal(size=(3, 3)),
        record={
          'config': synthetic.config(
            environment__name=name, optimizer__learning_rate=rate
          )
        },
      )  # pyformat: disable
      loaded.append(runs.load(folder))
  groups = runs.group(loaded, 'eval/return')
  values = scores.from_groups(groups)
  page = runs_page.build(
    loaded,
    groups,
    scores.summarise(values, resamples=100),
    metric='eval/return',
    resampling='pooled',
    notes=['<b>'],
  )  # pyformat: disable
  checker, drawings = check(page)
  assert len(drawings) == 2 + 2 * 2
  text = ' '.join(checker.text)
  assert 'learning_rate=0.1' in text and 'Learning curves: breakout' in text
  assert 'step 1,000' in text


def test_colors_come_from_the_page(page):
  _, drawings = check(page)
  for color in ('var(--fg)', 'var(--grid)', 'var(--arm-0)', 'var(--arm-1)'):
    assert color in drawings[0]
  for index in range(30):  # More arms than colours repeat some of them.
    assert re.fullmatch(r'var\(--arm-\d\)', svg.css_variable(index))
  assert svg.LIGHT.keys() == svg.DARK.keys()


def test_a_figure_alone_has_its_colors(page):
  _, drawings = check(page)
  alone = svg.standalone(drawings[0])
  root = xml.etree.ElementTree.fromstring(alone)
  assert root.tag == '{http://www.w3.org/2000/svg}svg'
  assert root.find('{http://www.w3.org/2000/svg}style') is not None
  for variable in set(re.findall(r'var\((--[\w-]+)\)', alone)):
    assert f'{variable}: #' in alone


def _luminance(color):
  channels = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
  linear = np.where(
    channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4
  )
  return linear @ [0.2126, 0.7152, 0.0722]


@pytest.mark.parametrize('theme', [svg.LIGHT, svg.DARK], ids=['light', 'dark'])
def test_colors_can_be_read_on_their_page(theme):
  base = _luminance(theme['bg'])
  for name, color in theme.items():
    if name in ('bg', 'panel', 'grid'):
      continue
    bright, dark = sorted((_luminance(color), base), reverse=True)
    # WCAG: 4.5 for text, 3 for large text and graphics.
    least = 4.5 if name in ('fg', 'muted', 'accent') else 3.0
    assert (bright + 0.05) / (dark + 0.05) >= least, name


def test_labels_are_spread_and_keep_their_order():
  placed = svg.spread([0.5, 0.52, 0.51, 3.0], 0.2)
  assert sorted(range(4), key=placed.__getitem__) == [0, 2, 1, 3]
  assert np.diff(sorted(placed)).min() >= 0.2 - 1e-12
  assert np.mean(placed[:3]) == pytest.approx(0.51) and placed[3] == 3.0


def test_curves_with_gaps_have_the_band_of_what_is_there():
  values = np.array([[1.0, np.nan, np.nan], [3.0, 2.0, np.nan]])
  curve = figures.Curve('a', 0, np.arange(3), values)
  mean, low, high = curve.bands()
  np.testing.assert_array_equal(mean, [2.0, 2.0, np.nan])
  assert low[0] < 1 and high[0] > 3 and np.isnan(low[1:]).all()


def test_markup_is_escaped_unless_it_is_markup():
  assert html.tag('p', '<i>', html.tag('b', '&'), title='"') == (
    '<p title="&quot;">&lt;i&gt;<b>&amp;</b></p>'
  )
