import pytest

from plasticity_rl.analysis.pages import study_figures
from plasticity_rl.analysis.study import study as studies
from plasticity_rl.errors import UserError


@pytest.mark.parametrize(
  'draw',
  (
    study_figures.task_bars,
    study_figures.arms,
    study_figures.by_compute,
    study_figures.default,
    lambda s: study_figures.along_axis(s, 'optimizer.learning_rate'),
    lambda s: study_figures.grid(
      s, 'optimizer.learning_rate', 'optimizer.learning_rate'
    ),
  ),
)
def test_figures_are_drawn_with_their_data(study, draw):
  one = draw(study)
  assert one.wide.startswith('<svg') and one.narrow.startswith('<svg')
  assert one.rows and all(len(row) == len(one.header) for row in one.rows)


@pytest.mark.parametrize(
  'draw, message',
  (
    (
      lambda s: study_figures.task_bars(s, 'injektion'),
      "unknown arm 'injektion'; did you mean 'injection'",
    ),
    (
      lambda s: study_figures.along_axis(s, 'optimizer.lr'),
      "unknown axis of the study 'optimizer.lr'",
    ),
  ),
)
def test_figures_that_cannot_be(study, draw, message):
  with pytest.raises(UserError, match=message):
    draw(study)


def test_a_single_seed_has_no_interval_to_write(write, tmp_path):
  study = studies.load(
    write(
      tmp_path / 's',
      {
        'a': ('control', {}, 'catch', [1.0], 1),
        'b': ('injection', {}, 'catch', [3.0], 1),
      },
    )
  )
  one = study_figures.arms(study)
  assert '>+2.00, p = 1<' in one.wide


@pytest.mark.parametrize(
  'second',
  (
    ('injection', {'optimizer.learning_rate': 1e-3}, 'catch', [2.0, 3.0], 1),
    ('reset', {}, 'catch', [2.0, 3.0], 1),
  ),
)
def test_an_arm_that_is_not_on_an_axis_is_left_out(write, tmp_path, second):
  study = studies.load(
    write(
      tmp_path / 's',
      {
        'a': ('control', {'optimizer.learning_rate': 1e-4}, 'catch', [1.0], 1),
        'b': ('control', {'optimizer.learning_rate': 1e-2}, 'catch', [1.0], 1),
        'c': second,
      },
    )
  )
  one = study_figures.along_axis(study, 'optimizer.learning_rate')
  assert one.wide.startswith('<svg') and not one.rows


def test_an_axis_of_tuples_in_tuples(write, tmp_path):
  axis = 'network.convolutions'
  small, large = [[16, 3, 1]], [[32, 8, 4], [64, 4, 2]]
  study = studies.load(
    write(
      tmp_path / 's',
      {
        'a': ('', {axis: small}, 'catch', [1.0, 2.0], 1),
        'b': ('', {axis: large}, 'catch', [3.0, 4.0], 1),
      },
    )
  )
  assert study.axes == {axis: (((16, 3, 1),), ((32, 8, 4), (64, 4, 2)))}
  rows = study_figures.along_axis(study, axis).rows
  assert [(row[1], row[2]) for row in rows] == [
    ('16-3-1', 1.5),
    ('32-8-4-64-4-2', 3.5),
  ]


def test_diagnostics_against_gains(write, tmp_path):
  study = studies.load(
    write(
      tmp_path / 's',
      {
        'a': ('control', {}, 'catch', [1.0, 2.0], 1),
        'b': ('injection', {}, 'catch', [2.0, 3.0], 1),
      },
    )
  )
  # Of two runs of their own: nothing was measured at a common fork.
  with pytest.raises(UserError, match='nothing was measured at the forks'):
    study_figures.against_measurements(study)
