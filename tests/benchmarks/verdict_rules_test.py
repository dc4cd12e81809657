import csv
import pathlib

import numpy as np
import pytest

from benchmarks import studies
from benchmarks import verdict_rules
from benchmarks.difference_distributions import DISTRIBUTIONS
from plasticity_rl.analysis.verdict import rules
from plasticity_rl.analysis.verdict import typical_values
from plasticity_rl.analysis.verdict import verdict as verdicts


@pytest.mark.parametrize('name', DISTRIBUTIONS)
def test_differences_have_mean_zero_and_deviation_one(name):
  d = DISTRIBUTIONS[name](np.random.default_rng(1), (400, 1000))
  assert d.mean() == pytest.approx(0, abs=0.012)
  assert d.std() == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize('n', [3, 5, 6, 10])
def test_what_is_simulated_is_the_tools_rule(n, monkeypatch):
  monkeypatch.setattr(verdict_rules, 'RESAMPLES', typical_values.RESAMPLES)
  monkeypatch.setattr(verdict_rules, 'PAIRS', typical_values.PAIRS)
  draw = DISTRIBUTIONS['half tie, else exponential down']
  d = draw(np.random.default_rng(n), (40, n)) + 0.5
  d = d[d.any(axis=-1)]
  low, high = verdict_rules.bounds(d)[verdict_rules.TOOL]
  found = np.where(low > 0, verdicts.LOSING, verdicts.UNDECIDED)
  found = np.where((low <= 0) & (high < 1), verdicts.NO_EVIDENCE, found)
  expected = [
    rules.assess(np.zeros(n), {'injection': row}, margin=1.0).verdict
    for row in d
  ]
  assert found.tolist() == expected
  assert len(set(expected)) == (2 if n < 6 else 3)


def test_the_rates_of_constant_differences():
  rates = verdict_rules.rates(np.zeros((5, 8)))
  tool, earlier = rates[verdict_rules.TOOL], rates[verdict_rules.EARLIER]
  assert tool['finds_no_evidence'] == 0 and earlier['finds_no_evidence'] == 100
  assert tool['false_losing'] == tool['exploded'] == 0


def test_bounds_that_explode_are_found():
  # Rounding leaves resamples that tie a spread, which the earlier rule kept.
  d = np.tile([0.1] * 10 + [-0.03], (3, 1))
  rates = verdict_rules.rates(d)
  assert rates[verdict_rules.EARLIER]['exploded'] == 100
  assert rates[verdict_rules.TOOL]['exploded'] == 0


def test_the_page_has_every_distribution(tmp_path, monkeypatch):
  monkeypatch.setattr(studies, 'RESULTS', tmp_path)
  monkeypatch.setattr(verdict_rules, 'DRAWS', 20)
  monkeypatch.setattr(verdict_rules, 'SEEDS', (3, 10))
  monkeypatch.setattr(verdict_rules, '_deciding', lambda: [{'pilot seeds': 6}])
  verdict_rules.main()
  folder = tmp_path / 'verdict_rules'
  page = (folder / 'README.md').read_text()
  assert all(page.count(f'| {name} |') == 6 for name in DISTRIBUTIONS)
  with (folder / 'rates.csv').open() as file:
    rows = list(csv.DictReader(file))
  assert len(rows) == len(DISTRIBUTIONS) * (3 + 6)
  assert {r['seeds'] for r in rows} == {'3', '10'}
  assert all((r['exploded'] == '') == (r['seeds'] == '3') for r in rows)


def test_the_numbers_of_the_docs_are_those_of_the_results():
  with (studies.RESULTS / 'verdict_rules' / 'rates.csv').open() as file:
    rows = [r for r in csv.DictReader(file) if r['rule'] == 'tool']
  rates = {(r['differences'], int(r['seeds'])): r for r in rows}
  names = {
    'normal': 'normal',
    'exponential, long tail of losses': 'exponential down',
    'exponential, long tail of gains': 'exponential up',
    'log-normal, long tail of losses': 'log-normal down',
    'log-normal, long tail of gains': 'log-normal up',
    'a tenth of seeds collapses': 'a tenth collapses',
    'a tenth of seeds gains': 'a tenth gains',
    '85 % of seeds tie': '85 % tie, else normal',
  }
  lines = pathlib.Path('docs/verdict.md').read_text().splitlines()
  found = [
    cells
    for cells in ([c.strip() for c in x.split('|')[1:-1]] for x in lines)
    if cells and cells[0] in names
  ]
  assert [cells[0] for cells in found] == list(names)
  for name, *cells in found:
    expected = [
      *(rates[names[name], n]['false_losing'] for n in (6, 10, 20, 30)),
      *(rates[names[name], n]['false_no_evidence'] for n in (3, 5, 10, 30)),
    ]
    assert cells == [f'{float(x):.1f}' for x in expected], name


def test_as_many_seeds_as_named_decide():
  row = verdict_rules.seeds_that_decide(6, 0.0, 0.5, pilots=8, draws=10)
  assert set(row) >= {'first number decides', 'second number decides'}
