"""Which runs are compared, over which steps; by numbers worked out by hand."""

import numpy as np
import pytest

from plasticity_rl.analysis.curves import pairing
from plasticity_rl.analysis.curves.curve import Curve
from plasticity_rl.errors import UserError


def curve(arm, seed, steps, values):
  return Curve(
    'c.csv',
    arm,
    'return',
    np.array(steps),
    np.array(values, float),
    arm,
    seed,
  )


def arms(control=((0, 10, 20), (1, 2, 3)), other=((0, 10, 20), (1, 5, 6))):
  return {
    'control': [curve('control', s, *control) for s in (1, 2)],
    'injection': [curve('injection', s, *other) for s in (1, 2)],
  }


def test_runs_are_paired_by_seed_whatever_their_order():
  curves = [
    curve(arm, seed, (0, 10), (0, 100 * (arm != 'control') + seed))
    for arm, seeds in (('injection', (3, 1, 2)), ('control', (1, 2, 3)))
    for seed in seeds
  ]
  paired = pairing.pair(curves, 'control', None)
  assert list(paired.arms) == ['control', 'injection']
  assert paired.seeds == [1, 2, 3] and not paired.notes
  differences = [
    b.values[-1] - a.values[-1]
    for a, b in zip(*paired.arms.values(), strict=True)
  ]
  assert differences == [100, 100, 100]


def test_seeds_of_one_arm_alone_are_left_out_and_told():
  curves = [curve('control', s, (0, 1), (0, s)) for s in (1, 2, 3)]
  curves += [curve('injection', s, (0, 1), (0, s)) for s in (2, 3, 4, 5)]
  paired = pairing.pair(curves, 'control', None)
  assert paired.seeds == [2, 3]
  assert [c.seed for c in paired.arms['injection']] == [2, 3]
  assert paired.notes == (
    'control has seeds that another arm lacks, which are left out: 1.',
    'injection has seeds that another arm lacks, which are left out: 4, 5.',
  )


@pytest.mark.parametrize(
  'found, control, injection, message',
  (
    ({'a': (1, 2), 'b': (1, 2)}, 'control', None, "no arm 'control'.* a, b"),
    ({'control': (1, 2)}, 'control', None, 'is the only arm'),
    ({'control': (1,), 'x': (1,)}, 'control', None, r'one seed \(1\)'),
    ({'control': (1, 2), 'x': (2, 3)}, 'control', None, r'one seed \(2\)'),
    ({'control': (1, 2), 'x': (3, 4)}, 'control', None, 'no seed in common'),
    ({'control': (1, 2), 'x': (1, 2)}, 'control', 'y', "unknown arm 'y'"),
  ),
)
def test_arms_that_cannot_be_paired(found, control, injection, message):
  curves = [
    curve(arm, s, (0, 1), (0, 1)) for arm, seeds in found.items() for s in seeds
  ]
  with pytest.raises(UserError, match=message):
    pairing.pair(curves, control, injection)


def test_the_fork_itself_is_not_in_the_score():
  at = pairing.Window(10, 20)
  one = curve('x', 1, (0, 10, 20, 30, 40), (0, 100, 1, 3, 50))
  assert pairing.score(one, at, joined=False) == 2


def test_joined_points_have_the_area_under_them():
  """y(t) = t through two points, then flat: 1/h int over (0, 20]."""
  one = curve('x', 1, (0, 10, 40), (0, 10, 10))
  at = pairing.Window(0, 20)
  assert pairing.score(one, at, joined=True) == pytest.approx(7.5)
  # Of the same line it does not matter where it was measured.
  dense = curve('x', 1, (0, 5, 10, 12, 40), (0, 5, 10, 10, 10))
  assert pairing.score(dense, at, joined=True) == pytest.approx(7.5)
  # And a window in the middle of a line has the line's mean.
  assert pairing.score(one, pairing.Window(2, 4), joined=True) == pytest.approx(
    4
  )


def test_before_its_first_point_a_curve_is_as_high_as_there_for_a_tenth():
  one = curve('x', 1, (10, 100), (4, 4))
  assert pairing.score(one, pairing.Window(0, 100), joined=True) == 4
  with pytest.raises(UserError, match='begins at step 10, more than a tenth'):
    pairing.score(one, pairing.Window(0, 90), joined=True)


def test_a_grid_keeps_the_mean():
  draw = np.random.default_rng(0)
  every = {
    'control': [
      curve(
        'control', s, np.sort(draw.choice(1001, 80, False)), draw.random(80)
      )
      for s in (1, 2, 3)
    ]
  }
  at = pairing.Window(100, 800)
  steps = pairing.grid(every, at)
  assert steps[-1] == 900 and len(steps) == 60 and steps[0] > 100
  for one in every['control']:
    values = pairing.on_grid(one, at, steps)
    widths = np.diff([100, *steps])
    np.testing.assert_allclose(
      np.average(values, weights=widths), pairing.score(one, at, joined=True)
    )
    # A value stands for the steps before it.
    np.testing.assert_allclose(
      values[0], pairing.mean_between(one, 100, steps[0])
    )


def test_the_window_is_what_every_run_has():
  found, notes = pairing.window(arms(), None, None)
  assert found == pairing.Window(0, 20) and 'step 0' in notes[0]
  late = arms(other=((5, 10, 19), (1, 5, 6)))
  found, notes = pairing.window(late, None, None)
  assert found == pairing.Window(5, 14) and found.end == 19
  assert pairing.window(late, 0, 19)[0].end == 19


def test_other_horizons_are_told():
  late = arms(other=((0, 10, 20, 30), (1, 5, 6, 7)))
  found, notes = pairing.window(late, 0, None)
  assert found.end == 20
  [note] = notes
  assert note.startswith('Runs have different horizons')
  assert 'ends at step 20' in note and 'at 30' in note
  assert not pairing.window(late, 0, 20)[1]  # Asked for.


@pytest.mark.parametrize(
  'fork, horizon, message',
  (
    (0, 21, 'beyond the data: .*ends at step 20; give --horizon=20 or less'),
    (5, 16, 'give --horizon=15 or less'),
    (20, None, 'the fork is at step 20, and .* ends at step 20'),
    (10, 5, 'has no return from step 10 to 15'),
  ),
  ids=('beyond', 'beyond_of_a_fork', 'fork_at_the_end', 'no_point'),
)
def test_windows_that_the_data_do_not_have(fork, horizon, message):
  with pytest.raises(UserError, match=message):
    pairing.window(arms(), fork, horizon)


@pytest.mark.parametrize('bad', (np.nan, np.inf))
def test_what_is_no_number_is_refused_in_the_horizon_alone(bad):
  broken = arms(other=((0, 10, 20, 30), (1, bad, 6, bad)))
  with pytest.raises(
    UserError, match=r"'injection', seed 1 is (nan|inf) at st"
  ):
    pairing.window(broken, 0, 20)
  assert pairing.window(broken, 10, 10)[0].end == 20
  same = pairing.Window(10, 10)
  assert pairing.score(broken['injection'][0], same, joined=True) < 7


def test_arms_that_differ_before_the_fork_are_told():
  at = pairing.Window(10, 10)
  notes = pairing.unfair(arms(), at, ())
  assert not notes  # The fork's own step may differ: an intervention was there.
  other = arms(other=((0, 10, 20), (1.1, 5, 6)))
  [note] = pairing.unfair(other, at, ())
  assert 'differ before the fork at step 10 (seed 1, 2)' in note
  steps = arms(other=((0, 5, 10, 20), (1, 1, 5, 6)))
  assert 'differ before' in pairing.unfair(steps, at, ())[0]
  [note] = pairing.unfair(other, at, (), fork_given=False)
  assert 'Without --fork_step' in note
  [note] = pairing.unfair(arms(), pairing.Window(0, 20), ())
  assert 'cannot show that the arms began from one state' in note


def test_an_optimizer_rebuilt_in_one_arm_is_told():
  at = pairing.Window(10, 10)
  [note] = pairing.unfair(arms(), at, ('injection',))
  assert 'rebuilt in injection and not in control' in note
  assert not pairing.unfair(arms(), at, ('injection', 'control'))
  with pytest.raises(UserError, match="did you mean 'injection'"):
    pairing.unfair(arms(), at, ('injektion',))
