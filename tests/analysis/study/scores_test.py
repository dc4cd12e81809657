import numpy as np
import pytest

from plasticity_rl.analysis import runs
from plasticity_rl.analysis.study import scores
from plasticity_rl.analysis.verdict import statistics
from plasticity_rl.errors import UserError

# IQM and mean of tests/data/README.md, and the published interval.
PUBLISHED = {
  ('sac', 'no_resets_rr1'): (501.0, 484.4, (389, 609)),
  ('sac', 'no_resets_rr32'): (301.3, 384.3, None),
  ('sac', 'resets_rr1'): (401.3, 410.6, None),
  ('sac', 'resets_rr32'): (651.5, 600.6, (549, 753)),
  ('drq', 'no_resets'): (569.6, 535.3, (475, 662)),
  ('drq', 'resets'): (757.5, 673.7, (704, 815)),
}


@pytest.fixture(scope='module')
def published(data):
  return scores.read(data / 'primacy_bias_scores.csv')


def test_published_scores_give_the_published_table(published):
  rows = scores.summarise(published, resampling='pooled')
  assert [(r.algorithm, r.arm) for r in rows] == list(PUBLISHED)
  for row in rows:
    iqm, mean, interval = PUBLISHED[row.algorithm, row.arm]
    # 0.05 for the rounding of the table, and a hair for that of floats.
    assert row.iqm == pytest.approx(iqm, abs=0.051)
    assert row.mean == pytest.approx(mean, abs=0.051)
    tasks = 10 if row.algorithm == 'sac' else 19
    assert (row.runs, row.tasks) == (10 * tasks, tasks)
    if interval:
      assert (row.iqm_low, row.iqm_high) == pytest.approx(interval, rel=0.05)


def test_stratified_intervals_are_rliables(published):
  # By rliable 1.2.0, 20,000 resamples of the runs within each task.
  expected = {
    ('sac', 'no_resets_rr1'): (472.8, 526.3),
    ('sac', 'resets_rr32'): (631.1, 670.9),
    ('drq', 'no_resets'): (524.7, 612.8),
    ('drq', 'resets'): (739.3, 774.0),
  }
  for row in scores.summarise(published, resampling='stratified'):
    if row[:2] in expected:
      found = (row.iqm_low, row.iqm_high)
      assert found == pytest.approx(expected[row[:2]], rel=0.005)


def test_tasks_count_the_same_whatever_their_numbers_of_runs():
  """Equal scores: which of the runs are missing changes nothing."""
  rng = np.random.default_rng(0)
  levels = {'x': 1.0, 'y': 50.0, 'z': 100.0, 'u': 300.0}
  whole = [
    scores.Score('a', 'b', task, str(seed), level)
    for task, level in levels.items()
    for seed in range(5)
  ]
  [expected] = scores.summarise(whole, resamples=100)
  for task in levels:
    left = [s for s in whole if s.task != task or s.seed == '0']
    [row] = scores.summarise(left, resamples=100)
    assert row.iqm == pytest.approx(expected.iqm)
    [note] = [n for n in scores.notes(left, [row]) if 'fewer runs' in n]
    assert f'{task} 1; others 5' in note
  # With numbers that divide, it is the IQM of runs repeated.
  x, y = rng.normal(size=2), rng.normal(size=6)
  uneven = [scores.Score('a', 'b', 'x', str(i), v) for i, v in enumerate(x)]
  uneven += [scores.Score('a', 'b', 'y', str(i), v) for i, v in enumerate(y)]
  [row] = scores.summarise(uneven)
  repeated = np.concatenate([np.repeat(x, 3), y])
  assert row.iqm == pytest.approx(statistics.iqm(repeated))
  assert row.iqm_low < row.iqm < row.iqm_high
  assert (row.runs, row.tasks) == (8, 2)


def test_a_task_with_one_run_has_no_interval():
  rows = [scores.Score('a', 'b', task, '0', 1.0) for task in 'xyz']
  [row] = scores.summarise(rows)
  assert row.iqm == 1 and np.isnan([row.iqm_low, row.iqm_high]).all()
  assert 'no interval: a b' in scores.notes(rows, [row])[-1]
  text, csv = scores.to_text([row]), scores.to_csv([row])
  assert 'nan' not in text + csv
  assert csv.splitlines()[1].startswith('a,b,1,,,')


def test_arms_with_different_seeds_are_noted():
  rows = [scores.Score('a', 'b', 'x', str(i), 1.0) for i in range(4)]
  rows += [scores.Score('a', 'c', 'x', str(i), 1.0) for i in range(1, 4)]
  said = scores.notes(rows, scores.summarise(rows, resamples=10))
  assert said == ['the arms of a have different seeds: c lacks x seed 0']


def test_csv_has_the_columns_of_the_contract(published):
  text = scores.to_csv(scores.summarise(published, resamples=100))
  header = 'algorithm,arm,iqm,iqm_low,iqm_high,mean,median,runs,tasks'
  assert text.splitlines()[0] == header
  assert text.splitlines()[1].startswith('sac,no_resets_rr1,500.988,')
  assert len(text.splitlines()) == 7


def test_arms_on_different_tasks_are_noted():
  rows = [
    scores.Score('a', 'b', 'x', '0', 1.0),
    scores.Score('a', 'c', 'y', '0', 1.0),
  ]
  said = scores.notes(rows, scores.summarise(rows, resamples=10))
  assert 'different tasks' in said[0] and 'no interval' in said[1]


@pytest.mark.parametrize(
  'rows, message',
  [
    ('a,b,t,0,nan\n', "line 2, column 'return': 'nan' is not a finite"),
    ('a,b,t,0,1\na,b,t,1,inf\n', "line 3, column 'return'"),
    ('a,b,t,0,\n', "column 'return': '' is not a number"),
    ('a,,t,0,1\n', "column 'arm' is empty"),
    ('a,b,t,0,1\na,b,t,0,2\n', r'line 3: the same run \(a, b, t, 0\)'),
    ('a,b,t,0,1\na,b,t,0.0,2\n', r'line 3: the same run \(a, b, t, 0\)'),
  ],
)
def test_bad_scores(tmp_path, rows, message):
  path = tmp_path / 'scores.csv'
  path.write_text('algorithm,arm,task,seed,return\n' + rows)
  with pytest.raises(UserError, match=message):
    scores.read(path)


def _load(synthetic, folder, returns, steps=(0, 500), seeds=None, **changes):
  record = {'config': synthetic.config(**changes)}
  synthetic.write_run(folder, steps, returns, record=record, seeds=seeds)
  return runs.load(folder)


def test_runs_are_grouped_by_what_differs(synthetic, tmp_path):
  zeros = np.zeros((2, 2))
  loaded = [
    _load(synthetic, tmp_path / 'a', zeros, optimizer__learning_rate=0.1),
    _load(synthetic, tmp_path / 'b', zeros, optimizer__learning_rate=0.2),
    _load(
      synthetic,
      tmp_path / 'c',
      zeros,
      seeds=(7, 8),
      optimizer__learning_rate=0.2,
      seed=7,
    ),
  ]  # pyformat: disable
  groups = runs.group(loaded, 'eval/return')
  assert [(g.algorithm, g.arm, g.task) for g in groups] == [
    ('dqn', 'learning_rate=0.1', 'catch'),
    ('dqn', 'learning_rate=0.2', 'catch'),
  ]
  np.testing.assert_array_equal(groups[1].seeds, [1, 2, 7, 8])


def test_the_same_seed_twice_is_refused(synthetic, tmp_path):
  loaded = [
    _load(synthetic, tmp_path / name, np.zeros((2, 2))) for name in 'ab'
  ]
  with pytest.raises(UserError, match='seed 1 is both in'):
    runs.group(loaded, 'eval/return')


def test_scores_are_taken_at_the_last_common_step(synthetic, tmp_path):
  loaded = [
    _load(synthetic, tmp_path / 'a', [[1, 2, 3]], (0, 500, 1000)),
    _load(synthetic, tmp_path / 'b', [[4, 5]], optimizer__learning_rate=1.0),
  ]
  groups = runs.group(loaded, 'eval/return')
  assert runs.common_step(groups) == 500
  assert [s.value for s in scores.from_groups(groups)] == [2.0, 5.0]
