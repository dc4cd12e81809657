"""The page of --proxies: whole, self-contained, and with the numbers."""

import urllib.parse

import numpy as np
import pytest

from plasticity_rl.analysis.files import csv_text
from plasticity_rl.analysis.pages import proxies_page
from plasticity_rl.analysis.verdict import proxies
from tests.analysis.pages.checker import check

STEPS = (1000, 2000)


@pytest.fixture(name='found', scope='module')
def fixture_found(synthetic, tmp_path_factory):
  rng = np.random.default_rng(0)
  benefit = rng.normal(size=(8, 2))
  values = {
    'plasticity/q/dormant_units/head': benefit + rng.normal(size=(8, 2)),
    'plasticity/q/srank/dense_0': -benefit,
    'plasticity/q/weight_norm/all': -benefit,
    'plasticity/q/dead_units/<b>': np.zeros((8, 2)),
  }
  folder = tmp_path_factory.mktemp('page') / 'd'
  return proxies.load(synthetic.write_forks(folder, STEPS, benefit, values))


def test_page(found):
  page = proxies_page.build(found)
  checker, drawings = check(page)
  text = ' '.join(checker.text)
  assert found.statement in checker.text
  dormant = next(r for r in found.rows if 'dormant' in r.proxy)
  for said in (
    proxies.text(dormant.within),
    proxies.text(dormant.pooled),
    proxies.text(found.rows[0].pooled),
    '-1.00 [-1.00, -1.00]',
    'constant',
    'reversed',
    'dead_units/<b>',
    '2 steps from 1,000 to 2,000',
    '0123456789abcdef',
    'python -m plasticity_rl.diagnose --proxies',
    'jax 0.10.2',
    'proxy_steps',
  ):  # pyformat: disable
    assert said in text, said
  # With one network its name says nothing.
  assert 'q/srank' not in text and 'srank/dense_0' in text
  # The table comes before the first figure.
  assert page.index('<table') < page.index('<svg')
  # Strength and benefit wide and narrow, and three diagnostics that rank.
  assert len(drawings) == 2 + 2 + 3
  assert page == proxies_page.build(found)


def test_data_can_be_downloaded(found):
  checker, _ = check(proxies_page.build(found))
  files = {
    a['download']: urllib.parse.unquote(a['href'].split(',', 1)[1])
    for t, a in checker.tags
    if t == 'a' and 'download' in a
  }
  assert files == {
    'proxies.csv': found.to_csv(),
    'pairs.csv': csv_text(*found.pairs),
  }


@pytest.mark.slow
def test_long_tables_are_folded_and_many_networks_named(synthetic, tmp_path):
  rng = np.random.default_rng(0)
  values = {
    f'plasticity/{net}/srank/dense_{i}': rng.normal(size=(4, 2))
    for net in ('q', 'actor')
    for i in range(15)
  }
  folder = synthetic.write_forks(
    tmp_path / 'd', STEPS, rng.normal(size=(4, 2)), values
  )
  page = proxies_page.build(proxies.load(folder))
  checker, drawings = check(page)
  assert '10 more' in checker.text
  assert all(f'{net}/srank/dense_3' in checker.text for net in ('q', 'actor'))
  assert len(drawings) == 2 + 2 + 1
