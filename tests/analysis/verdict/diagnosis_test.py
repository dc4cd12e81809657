import json
import shutil

import numpy as np
import pytest

from plasticity_rl.analysis.verdict import diagnosis
from plasticity_rl.errors import UserError


@pytest.fixture(scope='module')
def original(synthetic, tmp_path_factory):
  return synthetic.write_diagnosis(tmp_path_factory.mktemp('original') / 'd')


@pytest.fixture
def folder(original, tmp_path):
  return shutil.copytree(original, tmp_path / 'd')


def _edit(path, change):
  record = json.loads(path.read_text())
  change(record)
  path.write_text(json.dumps(record))


def _filter(synthetic, path, keep):
  header, rows = synthetic.read_csv(path)
  rows = [r for r in rows if keep(dict(zip(header, r, strict=True)))]
  synthetic.write_csv(path, header, rows)


def test_loads_and_judges(original):
  d = diagnosis.load(original)
  assert d.verdict.verdict == 'losing plasticity'
  assert list(d.arms)[:2] == ['control', 'injection']
  assert (d.step, d.horizon, d.metric) == (6000, 3000, 'eval/return')
  assert d.verdict.margin == 0.2 and d.verdict.seeds == 10


def test_the_score_is_the_mean_after_the_fork_without_the_fork(
  synthetic, original
):
  d = diagnosis.load(original)
  header, rows = synthetic.read_csv(
    original / 'arms' / 'control' / 'metrics.csv'
  )
  rows = [dict(zip(header, r, strict=True)) for r in rows]
  values = [
    float(r['eval/return'])
    for r in rows
    if r['eval/return'] and 6000 < int(r['step']) <= 9000
  ]
  assert len(values) == 60
  assert d.verdict.control_mean == pytest.approx(np.mean(values))


def test_metric_and_margin_can_be_chosen(original):
  d = diagnosis.load(original, metric='plasticity/srank', margin=1.0)
  assert d.verdict.metric == 'plasticity/srank' and d.verdict.margin == 1.0
  with pytest.raises(UserError, match="did you mean 'plasticity/srank'"):
    diagnosis.load(original, metric='plasticity/rank')


def test_replicates_are_told_by_the_config(synthetic, tmp_path):
  path = synthetic.write_diagnosis(tmp_path / 'd', seeds=8, replicates=8)
  d = diagnosis.load(path)
  assert d.verdict.verdict == 'undecided' and d.verdict.replicates


def test_an_injection_is_known_by_its_intervention(synthetic, tmp_path):
  path = synthetic.write_diagnosis(
    tmp_path / 'd',
    arms={'control': 0, 'a_reset': 0.5, 'pi': 0.5},
    interventions={'pi': 'injection(times=2)'},
  )  # pyformat: disable
  d = diagnosis.load(path)
  assert d.verdict.arm == 'pi' and list(d.arms) == ['control', 'pi', 'a_reset']


def test_a_foreign_prefix_without_metrics_is_no_obstacle(folder):
  (folder / 'prefix' / 'metrics.csv').unlink()
  d = diagnosis.load(folder)
  assert d.prefix_series() is None and d.verdict.verdict == 'losing plasticity'


def test_hidden_folders_are_no_arms(folder):
  before = set(diagnosis.load(folder).arms)
  (folder / 'arms' / '.ipynb_checkpoints').mkdir()
  assert set(diagnosis.load(folder).arms) == before


def test_gaps_are_allowed_in_what_is_not_an_evaluation(synthetic, folder):
  path = folder / 'arms' / 'injection' / 'metrics.csv'
  header, rows = synthetic.read_csv(path)
  at = header.index('train/loss')
  rows[-1][at] = ''
  synthetic.write_csv(path, header, rows)
  assert np.isfinite(diagnosis.load(folder, metric='train/loss').verdict.effect)


def test_a_missing_seed_is_named(synthetic, folder):
  _filter(
    synthetic,
    folder / 'arms' / 'head_reset' / 'metrics.csv',
    lambda r: r['seed'] != '4',
  )  # pyformat: disable
  with pytest.raises(UserError, match="'head_reset' is incomplete.* no seed 4"):
    diagnosis.load(folder)


def test_a_missing_step_is_named(synthetic, folder):
  _filter(
    synthetic,
    folder / 'arms' / 'injection' / 'metrics.csv',
    lambda r: (r['seed'], r['step']) != ('3', '7500'),
  )  # pyformat: disable
  with pytest.raises(
    UserError, match="'injection'.*eval/return for seed 3 at step 7500"
  ):
    diagnosis.load(folder)


def test_an_arm_that_was_stopped_is_named(synthetic, folder):
  _filter(
    synthetic,
    folder / 'arms' / 'control' / 'metrics.csv',
    lambda r: int(r['step']) <= 8000,
  )  # pyformat: disable
  with pytest.raises(UserError, match="'control'.*stops at step 8000 of 9000"):
    diagnosis.load(folder)


def test_a_nan_score_names_arm_and_seed(synthetic, folder):
  path = folder / 'arms' / 'injection' / 'metrics.csv'
  header, rows = synthetic.read_csv(path)
  for row in rows:
    if row[:2] == ['5', '8000']:
      row[header.index('eval/return')] = 'nan'
  synthetic.write_csv(path, header, rows)
  with pytest.raises(UserError, match="arm 'injection', seed 5: .* nan at"):
    diagnosis.load(folder)


def test_other_broken_folders(folder, tmp_path):
  def fails(match):
    with pytest.raises(UserError, match=match):
      diagnosis.load(folder)

  with pytest.raises(UserError, match='not a diagnosis folder'):
    diagnosis.load(tmp_path)
  fork = folder / 'arms' / 'injection' / 'fork.json'
  _edit(fork, lambda r: r.update(step=5000))
  fails("'injection' was forked at step 5000")
  _edit(fork, lambda r: r.update(step='x'))
  fails("step must be a whole number, found 'x'")
  _edit(fork, lambda r: r.update(step=6000, at_fork={'greedy_agreement': 'x'}))
  fails('at_fork.greedy_agreement must hold numbers')
  fork.write_text('{')
  fails('cannot read .*fork.json')
  fork.unlink()
  fails("'injection' has no fork.json")
  shutil.rmtree(folder / 'arms' / 'control')
  fails('no control arm; found: head_reset, injection')


def test_a_margin_must_come_from_somewhere(folder):
  def forget(record):
    record['config']['fork']['margin'] = 0

  _edit(folder / 'arms' / 'control' / 'config.json', forget)
  with pytest.raises(UserError, match='give --margin'):
    diagnosis.load(folder)
  (folder / 'verdict.json').write_text('{"margin": 0.3}')
  assert diagnosis.load(folder).verdict.margin == 0.3
