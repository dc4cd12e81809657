import json
import re
import urllib.parse
import xml.etree.ElementTree

import pytest

from plasticity_rl.analysis.pages import diagnosis_page
from plasticity_rl.analysis.pages import palette
from plasticity_rl.analysis.pages import svg
from plasticity_rl.analysis.verdict import diagnosis
from tests.analysis.pages.checker import check

_EVIL = '<script>alert("x&y")</script>$_{'


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
  'seeds, interval, promise',
  (
    (5, 'Student’s t', 'With fewer than 6 seeds no loss can be shown'),
    (
      6,
      'the wider of an inverted sign-flip test and a studentised bootstrap',
      'each of these is said by mistake in at most 2.5 % of studies',
    ),
  ),
)
def test_what_numbers_are_is_said_as_it_is(
  synthetic, tmp_path, seeds, interval, promise
):
  folder = synthetic.write_diagnosis(
    tmp_path / 'd', seeds=seeds, arms={'control': 0.0, 'injection': 0.5}
  )
  page = diagnosis_page.build(diagnosis.load(folder))
  assert f'95 % interval ({interval}). p: exact' in page
  assert 'What is promised' in page and promise in page
  # A ledger is of one seed, and its seconds are of the program.
  assert 'FLOPs of one seed' in page and 'FLOPs of all seeds' not in page


def test_nothing_is_promised_of_a_single_network(synthetic, tmp_path):
  folder = synthetic.write_diagnosis(
    tmp_path / 'd', seeds=1, arms={'control': 0.0, 'injection': 0.5}
  )
  page = diagnosis_page.build(diagnosis.load(folder))
  assert 'What is promised' not in page


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


def test_colors_come_from_the_page(page):
  _, drawings = check(page)
  for color in ('var(--fg)', 'var(--grid)', 'var(--arm-0)', 'var(--arm-1)'):
    assert color in drawings[0]
  for index in range(30):  # More arms than colours repeat some of them.
    assert re.fullmatch(r'var\(--arm-\d\)', palette.css_variable(index))
  assert palette.LIGHT.keys() == palette.DARK.keys()


def test_a_figure_alone_has_its_colors(page):
  _, drawings = check(page)
  alone = svg.standalone(drawings[0])
  root = xml.etree.ElementTree.fromstring(alone)
  assert root.tag == '{http://www.w3.org/2000/svg}svg'
  assert root.find('{http://www.w3.org/2000/svg}style') is not None
  for variable in set(re.findall(r'var\((--[\w-]+)\)', alone)):
    assert f'{variable}: #' in alone
