"""Folders of forks: read whole, compared with what is known of them."""

import csv
import io
import json
import math

import numpy as np
import pytest
from scipy import stats

from plasticity_rl.analysis import files
from plasticity_rl.analysis import report
from plasticity_rl.analysis.verdict import proxies
from plasticity_rl.analysis.verdict import statistics
from plasticity_rl.errors import UserError

STEPS = (1000, 2000, 4000)
Q = 'plasticity/q/'


@pytest.fixture(name='planted', scope='module')
def fixture_planted():
  """(benefit, proxies) `[S, F]` of known relations, eight seeds."""
  rng = np.random.default_rng(0)
  time = np.arange(3.0)
  benefit = rng.normal(size=(8, 3)) + 3 * time
  lacking = rng.normal(size=(8, 3))
  lacking[2, 1] = lacking[5, 0] = np.nan
  return benefit, {
    Q + 'dormant_units/head': np.exp(benefit),
    Q + 'srank/dense_0': -benefit,
    Q + 'weight_norm/all': -(benefit**3),
    Q + 'dead_units/head': np.zeros((8, 3)),
    Q + 'dead_units/encoder': np.tile([0, 0, 1.0], (8, 1)),
    Q + 'something_new/x': 2 * benefit,
    Q + 'srank/dense_1': lacking,
    Q + 'srank/dense_2': benefit * [0, 1, 1],
  }


@pytest.fixture(name='folder', scope='module')
def fixture_folder(synthetic, planted, tmp_path_factory):
  return synthetic.write_forks(
    tmp_path_factory.mktemp('forks') / 'd', STEPS, *planted
  )


@pytest.fixture(name='found', scope='module')
def fixture_found(folder):
  return proxies.load(folder)


def row(found, name):
  return next(r for r in found.rows if r.proxy == name)


def test_benefit_and_values_are_those_of_the_fork(found, planted):
  benefit, values = planted
  assert found.steps.tolist() == list(STEPS)
  assert found.seeds.tolist() == list(range(1, 9))
  assert (found.horizon, found.metric) == (1000, 'eval/return')
  np.testing.assert_allclose(found.benefit, benefit)
  for name, value in values.items():
    np.testing.assert_allclose(found.values[name], value)
  np.testing.assert_array_equal(
    found.values['step'], np.broadcast_to(STEPS, (8, 3))
  )
  assert found.values['eval/return'].shape == (8, 3)


def test_what_the_prefix_measured_at_a_fork_comes_first(
  synthetic, planted, tmp_path
):
  folder = synthetic.write_forks(tmp_path / 'd', STEPS, *planted)
  name = Q + 'srank/dense_0'
  header = ['seed', 'step', name, Q + 'dead_units/head']
  rows = [[i, step, i + step, ''] for step in (1000, 1500) for i in range(1, 9)]
  rows += [[i, 4000, i, ''] for i in range(1, 8)]
  synthetic.write_csv(folder / 'prefix' / 'metrics.csv', header, rows)
  values = proxies.load(folder).values
  np.testing.assert_array_equal(values[name][:, 0], 1001 + np.arange(8))
  np.testing.assert_array_equal(values[name][:, 1:2], planted[1][name][:, 1:2])
  # Of seed 8 it has nothing at step 4000.
  np.testing.assert_array_equal(
    values[name][:, 2], [1, 2, 3, 4, 5, 6, 7, planted[1][name][7, 2]]
  )
  assert not values[Q + 'dead_units/head'].any()


@pytest.mark.parametrize(
  'name, sign, tells',
  (
    ('dormant_units/head', 1, 'yes'),
    ('srank/dense_0', -1, 'yes'),
    ('weight_norm/all', -1, 'reversed'),
    ('something_new/x', 1, 'yes, sign unstated'),
  ),
)
def test_planted_relations_are_found(found, name, sign, tells):
  r = row(found, Q + name)
  np.testing.assert_allclose([*r.within, *r.pooled], 6 * [sign])
  assert (r.tells, r.forks, r.pairs, r.note) == (tells, 3, 24, '')


def test_time_is_a_proxy_that_tells_nothing_within_forks(found):
  time = found.rows[0]
  assert (time.proxy, time.expected) == ('step', 1)
  expected = stats.spearmanr(
    np.broadcast_to(STEPS, (8, 3)).ravel(), found.benefit.ravel()
  ).statistic
  assert time.pooled.estimate == pytest.approx(expected)
  assert time.pooled.low > 0.5
  assert math.isnan(time.within.estimate)
  assert (time.tells, time.note) == ('-', 'no ranking of seeds')
  # So does a diagnostic that only knows the time.
  known = row(found, Q + 'dead_units/encoder')
  assert math.isnan(known.within.estimate) and known.pooled.estimate > 0.5
  assert known.tells == '-'


def test_what_is_constant_or_missing_is_said_and_not_dropped(found, planted):
  partly = row(found, Q + 'srank/dense_2')
  assert (partly.forks, partly.note) == (2, 'ranks at 2 of 3 forks')
  assert partly.within.estimate == pytest.approx(1)
  constant = row(found, Q + 'dead_units/head')
  assert constant.note == 'constant'
  assert np.isnan([*constant.within, *constant.pooled]).all()
  lacking = row(found, Q + 'srank/dense_1')
  assert (lacking.pairs, lacking.note) == (22, 'missing in 2 pairs')
  benefit, values = planted
  x = values[Q + 'srank/dense_1']
  kept = np.isfinite(x)
  assert lacking.pooled.estimate == pytest.approx(
    stats.spearmanr(x[kept], benefit[kept]).statistic
  )
  assert len(found.rows) == len(values) + 2


def test_references_come_first_then_the_strongest(found):
  assert [r.proxy for r in found.rows[:2]] == ['step', 'eval/return']
  strengths = [abs(r.within.estimate) for r in found.diagnostics]
  finite = [s for s in strengths if math.isfinite(s)]
  assert strengths[: len(finite)] == sorted(finite, reverse=True)


def test_the_count_of_those_that_tell(found):
  told = sum(r.tells.startswith('yes') for r in found.diagnostics)
  assert found.statement == (f'{told} of 8 proxies tell, 2 the wrong way round')
  assert 3 <= told <= 4  # The one that lacks values is noise.


def test_every_diagnostic_states_a_sign_or_that_there_is_none():
  from plasticity_rl.diagnostics import registry

  assert set(proxies.EXPECTED) == {*registry.REGISTRY, 'step', 'eval/return'}


def test_files(found, folder):
  report.proxies(folder)
  record = json.loads((folder / 'proxies.json').read_text())
  assert (record['metric'], record['steps']) == ('eval/return', list(STEPS))
  np.testing.assert_allclose(record['benefit'], found.benefit)
  first = record['proxies'][0]
  assert first['proxy'] == 'step'
  assert first['within'] == {'estimate': None, 'low': None, 'high': None}
  with (folder / 'proxies.csv').open(newline='') as file:
    rows = list(csv.DictReader(file))
  assert [r['proxy'] for r in rows] == [r.proxy for r in found.rows]
  assert {(r['seeds'], r['forks']) for r in rows} == {('8', '3')}
  by_name = {r['proxy']: r for r in rows}
  srank = by_name[Q + 'srank/dense_0']
  assert (srank['expected'], srank['within_low'], srank['tells']) == (
    '-1',
    '-1',
    'yes',
  )
  assert by_name['step']['within'] == ''
  assert (folder / 'proxies.html').exists()
  pairs = list(csv.DictReader(io.StringIO(files.csv_text(*found.pairs))))
  assert len(pairs) == 24
  last = pairs[-1]
  assert (last['seed'], last['step']) == ('8', '4000')
  assert float(last['benefit']) == pytest.approx(found.benefit[7, 2])


def test_the_table_names_the_strongest_and_counts_the_rest(found):
  lines = found.table(most=4).splitlines()
  assert len(lines) == 6 and lines[-1] == 'and 6 more in proxies.csv'
  assert 'within forks [95 %]' in lines[0]
  assert lines[1].startswith('step')
  assert '1.00 [' in lines[3]


@pytest.mark.parametrize(
  'interval, expected',
  (
    ((-0.2, -0.4, -0.001), '-0.20 [-0.40, -0.00]'),
    ((-0.0, -0.2, 0.2), '+0.00 [-0.20, +0.20]'),
    ((0.5, math.nan, math.nan), '+0.50'),
    ((math.nan, math.nan, math.nan), '-'),
  ),
)
def test_text_of_an_interval(interval, expected):
  assert proxies.text(statistics.Interval(*interval)) == expected


def _lose_fork(folder):
  for name in ('control', 'injection'):
    (folder / 'forks/2000' / name / 'metrics.csv').unlink()


def _lose_rows(folder):
  path = folder / 'forks/2000/injection/metrics.csv'
  path.write_text(''.join(path.read_text().splitlines(True)[:-1]))


def _other_step(folder):
  for name in ('control', 'injection'):
    path = folder / 'forks/2000' / name / 'fork.json'
    record = json.loads(path.read_text()) | {'step': 1500, 'horizon': 1500}
    path.write_text(json.dumps(record))


def _other_horizon(folder):
  for name in ('control', 'injection'):
    path = folder / 'forks/2000' / name / 'fork.json'
    path.write_text(json.dumps(json.loads(path.read_text()) | {'horizon': 500}))


def _no_forks(folder):
  path = folder / 'prefix/config.json'
  record = json.loads(path.read_text())
  record['config']['fork']['proxy_steps'] = []
  path.write_text(json.dumps(record))


@pytest.mark.parametrize(
  'damage, message',
  (
    (_lose_fork, 'no such file: .*2000.control.metrics.csv'),
    (_lose_rows, r"2000: arm 'injection' is incomplete: .* seed 8"),
    (_other_step, '2000: the arms were forked at step 1500'),
    (_other_horizon, 'differ: at step 2000'),
    (_no_forks, 'was not made by --proxies'),
  ),
)
def test_damaged_folders_are_refused(
  synthetic, planted, tmp_path, damage, message
):
  folder = synthetic.write_forks(tmp_path / 'd', STEPS, *planted)
  damage(folder)
  with pytest.raises(UserError, match=message):
    proxies.load(folder)


def test_forks_without_diagnostics_are_refused(synthetic, planted, tmp_path):
  folder = synthetic.write_forks(tmp_path / 'd', STEPS, planted[0], {})
  with pytest.raises(UserError, match='no diagnostic was measured'):
    proxies.load(folder)
