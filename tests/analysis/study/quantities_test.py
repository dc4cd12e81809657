"""Quantities of arrays whose answer can be seen."""

import numpy as np
import pytest
from scipy import stats

from plasticity_rl.analysis.study import tables
from plasticity_rl.analysis.study.quantities import Contrast
from plasticity_rl.analysis.study.quantities import Difference
from plasticity_rl.analysis.study.quantities import Level
from plasticity_rl.analysis.study.quantities import Trend
from plasticity_rl.analysis.study.quantities import columns
from plasticity_rl.errors import UserError
from tests.analysis.study import made

BASE = np.array([1.0, 2.0, 4.0])
RATIO = 'replay.updates_per_step'


def test_a_contrast_is_paired_by_seed_whatever_their_order():
  gain = np.array([0.1, 0.2, 0.3])
  order = [2, 0, 1]
  study = made.study(
    made.sample('control', BASE),
    made.sample(
      'injection', (BASE + gain)[order], seeds=[1000 + i for i in order]
    ),
  )
  found = Contrast('injection').of(study)
  assert found.seeds == (1000, 1001, 1002) and found.lacking == ()
  np.testing.assert_allclose(found.values, gain)
  swapped = Contrast('control', 'injection').of(study)
  np.testing.assert_allclose(swapped.values, -gain)


def test_a_seed_that_one_side_lacks_is_left_out_and_told():
  study = made.study(
    made.sample('control', BASE),
    made.sample('injection', BASE[:2] + 1),
  )
  found = Contrast('injection').of(study)
  assert found.seeds == (1000, 1001)
  assert found.lacking == ('seed 1002 of injection',)


def test_a_percent_is_of_the_mean_of_the_base_but_not_of_less_than_a_margin():
  study = made.study(
    made.sample('control', BASE - 2, margin=2.0),  # Its mean is 1/3.
    made.sample('injection', BASE - 1, margin=2.0),
  )
  found = Contrast('injection', percent=True).of(study)
  np.testing.assert_allclose(found.values, 50.0)
  [gain] = tables.gains(study)
  assert gain.percent.estimate == pytest.approx(50.0)
  bigger = made.study(
    made.sample('control', -BASE, margin=2.0),  # Its mean is -7/3.
    made.sample('injection', 1 - BASE, margin=2.0),
  )
  found = Contrast('injection', percent=True).of(bigger)
  np.testing.assert_allclose(found.values, 300 / 7)


def _at_two_ratios():
  """The gain is 1 at ratio 1 and 5, 6, 7 at ratio 8."""
  return made.study(
    *(
      made.sample(arm, BASE + more, replay__updates_per_step=ratio)
      for ratio, gain in ((8.0, np.array([5.0, 6.0, 7.0])), (1.0, 1.0))
      for arm, more in (('control', 0), ('injection', gain))
    )
  )


def test_a_point_of_the_sweep_or_the_mean_over_all():
  study = _at_two_ratios()
  at = Contrast('injection', at={RATIO: 8})
  np.testing.assert_allclose(at.of(study).values, [5, 6, 7])
  np.testing.assert_allclose(
    Contrast('injection').of(study).values, [3, 3.5, 4]
  )
  difference = Difference(at, Contrast('injection', at={RATIO: 1.0}))
  np.testing.assert_allclose(difference.of(study).values, [4, 5, 6])


def test_a_difference_is_of_the_seeds_that_all_four_have():
  study = made.study(
    *(
      made.sample('control', BASE, rate=1),
      made.sample('injection', BASE[1:] + 1, seeds=[1001, 1002], rate=1),
      made.sample('control', BASE, rate=2),
      made.sample('injection', BASE + [1, 2, 4], rate=2),
    )
  )
  late, early = (Contrast('injection', at={'rate': r}) for r in (2, 1))
  found = Difference(late, early).of(study)
  assert found.seeds == (1001, 1002)
  np.testing.assert_allclose(found.values, [1, 3])
  assert found.lacking[0] == 'seed 1000 of injection'


def test_points_are_compared_with_each_other():
  primed = 'replay.priming_updates'
  study = made.study(
    made.sample('all', BASE, replay__priming_updates=0),
    made.sample('all', BASE / 2, replay__priming_updates=1000),
  )
  found = Contrast('all', 'all', at={primed: 1000}, base_at={primed: 0})
  np.testing.assert_allclose(found.of(study).values, -BASE / 2)
  several = made.study(
    made.sample('all', BASE, a=1, b=1),
    made.sample('other', BASE, a=1),
    made.sample('other', BASE, b=1),
  )
  with pytest.raises(UserError, match='more than one other at .*give base_at'):
    Contrast('all', 'other').of(several)


def test_a_base_may_lack_an_axis():
  study = made.study(
    made.sample('control', BASE),
    *(made.sample('reset', BASE + 1 / p, period=p) for p in (1, 2, 4)),
  )
  found = Contrast('reset', at={'period': 4}).of(study)
  np.testing.assert_allclose(found.values, 0.25)
  trend = Trend(Contrast('reset'), 'period').of(study)
  np.testing.assert_allclose(trend.values, -1)


def test_several_tasks_are_put_on_one_scale():
  study = made.study(
    *(
      made.sample(arm, scale * (BASE + more), task=task)
      for task, scale in (('catch', 1.0), ('pong', 100.0))
      for arm, more in (('control', 0.0), ('injection', 1.0))
    )
  )
  # From 1 to 5 on catch, from 100 to 500 on pong.
  np.testing.assert_allclose(Contrast('injection').of(study).values, 0.25)
  np.testing.assert_allclose(Level('control').of(study).values, [0, 0.25, 0.75])
  one = Contrast('injection', at={'environment.name': 'pong'})
  np.testing.assert_allclose(one.of(study).values, 100)
  percent = Contrast('injection', percent=True)
  np.testing.assert_allclose(percent.of(study).values, 300 / 7)


def test_a_trend_is_by_ranks_and_its_mean_is_pages():
  rng = np.random.default_rng(0)
  values = rng.normal(size=(6, 4)) + 0.5 * np.arange(4)
  study = made.study(
    *(
      made.sample(arm, column + more, rate=rate)
      for column, rate in zip(values.T, (1, 10, 100, 1000), strict=True)
      for arm, more in (('control', 3.0 - column), ('injection', 3.0))
    )
  )
  found = Trend(Contrast('injection'), 'rate').of(study)
  expected = [stats.spearmanr(row, np.arange(4)).statistic for row in values]
  np.testing.assert_allclose(found.values, expected)
  page = stats.page_trend_test(values).statistic
  n, k = values.shape
  # L of ranks: n k (k + 1)^2 / 4 without a trend, and the rest by rho.
  middle, span = n * k * (k + 1) ** 2 / 4, n * k * (k**2 - 1) / 12
  assert middle + span * found.values.mean() == pytest.approx(page)


def test_a_flat_line_has_no_trend():
  study = made.study(
    *(made.sample('all', BASE, rate=rate) for rate in (1, 2, 3))
  )
  np.testing.assert_array_equal(Trend(Level('all'), 'rate').of(study).values, 0)


def test_a_trend_needs_all_points_of_a_seed():
  study = made.study(
    made.sample('all', BASE, rate=1), made.sample('all', BASE[:2], rate=2)
  )
  found = Trend(Level('all'), 'rate').of(study)
  assert found.seeds == (1000, 1001)
  assert found.lacking == ('seed 1002 of rate 2',)


DEAD = 'plasticity/q/dead_units/head'


def test_a_column_at_a_step():
  dead = np.array([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6], [0.7, 0.8, np.nan]])
  earlier = dead / 10
  study = made.study(
    made.sample(
      'control',
      BASE,
      columns={DEAD: dead},
      prefix={DEAD: earlier},
      fork={'at_fork': {'greedy_agreement': [1.0, 0.5, 0.25]}},
      flops=3.0,
    ),
    made.sample('injection', BASE, columns={DEAD: dead / 2}, flops=6.0),
  )

  def of(**read):
    return Level('control', **read).of(study).values

  np.testing.assert_allclose(of(column=DEAD, step=200), dead[:, 1])
  np.testing.assert_allclose(of(column=DEAD, step='fork'), dead[:, 0])
  np.testing.assert_allclose(of(column=DEAD), dead[:, 2])
  np.testing.assert_allclose(
    of(column='at_fork/greedy_agreement'), [1, 0.5, 0.25]
  )
  contrast = Contrast('injection', column=DEAD, step=200).of(study)
  np.testing.assert_allclose(contrast.values, -dead[:, 1] / 2)
  cost = Contrast('injection', column='flops', percent=True).of(study)
  np.testing.assert_allclose(cost.values, 100)
  with pytest.raises(UserError, match='no .*head at step 250; next to it: 200'):
    of(column=DEAD, step=250)
  with pytest.raises(UserError, match='has no fork: give the step'):
    Level('injection', column=DEAD, step='fork').of(study)
  with pytest.raises(UserError, match="unknown metric 'plasticity/q/dead_unit"):
    of(column='plasticity/q/dead_unit/head')
  with pytest.raises(UserError, match='has no at_fork/greedy_agreement'):
    Level('injection', column='at_fork/greedy_agreement').of(study)


@pytest.mark.parametrize(
  'quantity, message',
  (
    (
      Contrast('injektion'),
      "unknown arm 'injektion'; did you mean 'injection'",
    ),
    (Contrast('injection', 'kontrol'), "unknown arm 'kontrol'"),
    (Contrast('injection', at={'replay.ratio': 8}), "'replay.ratio'"),
    (
      Contrast('injection', at={RATIO: 2.0}),
      'replay.updates_per_step is never 2.0: it is 8, 1',
    ),
    (
      Contrast('injection', base_at={RATIO: 3.0}),
      'replay.updates_per_step is never 3.0',
    ),
    (Trend(Contrast('injection'), 'rate'), "unknown axis of the sweep 'rate'"),
  ),
)
def test_what_is_not_there(quantity, message):
  with pytest.raises(UserError) as error:
    quantity.of(_at_two_ratios())
  assert message in str(error.value)


def test_words():
  at = Contrast('injection', at={RATIO: 8.0}, percent=True)
  assert at.text == 'injection at updates_per_step 8 − control, percent'
  level = Level('control', column=DEAD, step=4000)
  assert level.text == f'control, {DEAD} at step 4,000'
  assert Trend(level, RATIO).text.startswith('trend along updates_per_step of')
  assert columns(Difference(at, at)) == ()
  assert columns(Trend(level, 'x')) == (DEAD,)
