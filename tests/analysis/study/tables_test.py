import numpy as np
import pytest
from rliable import library as rly
from rliable import metrics as rly_metrics

from plasticity_rl.analysis.study import study as studies
from plasticity_rl.analysis.study import tables
from plasticity_rl.analysis.verdict import statistics
from tests.analysis.study_writer import RATES


def test_gains_are_paired_within_a_cell(study):
  gains = {
    (g.task, dict(g.setting)['optimizer.learning_rate']): g
    for g in tables.gains(study)
  }
  assert len(gains) == 4
  assert gains['catch', 1e-4].differences == pytest.approx([0] * 6)
  one = gains['catch', 1e-3]
  assert one.interval == pytest.approx((1, 1, 1)) and one.p == 2 / 64
  # 100 (a - c) / |c|, of a control whose mean is 2.5.
  assert one.percent.estimate == pytest.approx(40)
  assert gains['pong', 1e-3].percent.estimate == pytest.approx(4)


def test_a_control_near_zero_does_not_divide():
  def percent(control, margin):
    return tables.Gain(
      'x',
      (),
      'a',
      control,
      0.0,
      statistics.Interval(1, 0, 2),
      0.1,
      np.ones(1),
      margin,
    ).percent

  assert percent(0.01, 0.5) == pytest.approx((200, 0, 400))
  assert percent(-2.0, 0.5).estimate == pytest.approx(50)
  assert np.isnan(percent(0.0, 0.0).estimate)


def test_pairs_are_the_seeds_that_both_have(write, tmp_path):
  study = studies.load(
    write(
      tmp_path / 's',
      {
        'a': ('control', {}, 'catch', [1.0, 2.0, 3.0], 1),
        'b': ('injection', {}, 'catch', [5.0, 6.0, 70.0], 2),
        'c': ('control', {}, 'catch', [4.0], 4),
      },
    )
  )
  (gain,) = tables.gains(study)
  assert gain.differences == pytest.approx([5 - 2, 6 - 3, 70 - 4])


def test_means_are_of_the_seeds_that_are_compared(write, tmp_path):
  study = studies.load(
    write(
      tmp_path / 's',
      {
        'a': ('control', {}, 'catch', [1.0, 2.0, 30.0], 1),
        'b': ('injection', {}, 'catch', [2.0, 4.0], 1),
      },
    )
  )
  (gain,) = tables.gains(study)
  assert (gain.control, gain.mean) == pytest.approx((1.5, 3.0))
  assert gain.percent.estimate == pytest.approx(100)


def test_tasks_are_put_on_one_scale(study):
  scale = tables.normaliser(study)
  assert scale == {'catch': (0.0, 6.0), 'pong': (0.0, 510.0)}
  scores = tables.by_task(study, 'injection', study.settings[1])
  assert scores['catch'] == pytest.approx((np.arange(6) + 1) / 6)


def _peer(x, y):
  """[runs, tasks] of rliable, of scores by task."""
  return np.stack(x, axis=1), np.stack(y, axis=1)


@pytest.mark.slow
def test_probability_of_improvement_is_rliables():
  rng = np.random.default_rng(0)
  x = [rng.normal(0.5 + i, 1, 8).round(1) for i in range(3)]
  y = [rng.normal(i, 1, 8).round(1) for i in range(3)]  # Rounded: with ties.
  found = tables.probability_of_improvement(x, y)
  assert found.estimate == pytest.approx(
    rly_metrics.probability_of_improvement(*_peer(x, y))
  )
  np.random.seed(0)  # rliable resamples by the global generator.
  _, interval = rly.get_interval_estimates(
    {'x,y': _peer(x, y)},
    rly_metrics.probability_of_improvement,
    reps=2000,
  )
  low, high = interval['x,y'].ravel()
  assert found.low == pytest.approx(low, abs=0.03)
  assert found.high == pytest.approx(high, abs=0.03)
  flipped = tables.probability_of_improvement(y, x)
  assert found.estimate + flipped.estimate == pytest.approx(1)


def test_profiles_are_rliables():
  rng = np.random.default_rng(1)
  x = [rng.normal(i, 1, 10) for i in range(3)]
  taus = np.linspace(-2, 4, 25)
  share, low, high = tables.profile(x, taus)
  theirs, bands = rly.create_performance_profile(
    {'x': np.stack(x, axis=1)}, taus, reps=500
  )
  assert share == pytest.approx(theirs['x'])
  assert np.abs(np.stack([low, high]) - bands['x']).max() < 0.08
  assert (np.diff(share) <= 0).all() and (low <= share).all()


def test_aggregates(study):
  rows = {
    (r.arm, dict(r.setting)['optimizer.learning_rate']): r
    for r in tables.aggregates(study)
  }
  assert len(rows) == 4
  row = rows['injection', 1e-3]
  assert (row.runs, row.tasks) == (12, 2)
  both = np.concatenate(
    [(np.arange(6) + 1) / 6, (np.arange(6) * 100 + 10) / 510]
  )
  assert row.iqm.estimate == pytest.approx(statistics.iqm(both))
  assert row.iqm.low < row.iqm.estimate < row.iqm.high
  assert np.isnan(rows['control', 1e-3].better.estimate)
  # Of 36 pairs on pong 15 + 6 are won; on catch 15 and 5 ties, and 6 + 5 more.
  pong, catch = 21 / 36, (15 + 6 + 5 / 2) / 36
  assert row.better.estimate == pytest.approx((pong + catch) / 2)


def test_gain_along_an_axis(study):
  line = tables.along(study, 'optimizer.learning_rate', 'injection', gain=True)
  assert [value for value, _, _ in line] == list(RATES)
  means = [interval.estimate for _, interval, _ in line]
  assert means == pytest.approx([(0 + 10 / 510) / 2, (1 / 6 + 10 / 510) / 2])
