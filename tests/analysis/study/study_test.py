import numpy as np
import pytest

from plasticity_rl.analysis.pages import study_figures
from plasticity_rl.analysis.study import study as studies
from plasticity_rl.analysis.study import tables
from plasticity_rl.analysis.verdict import diagnosis
from plasticity_rl.errors import UserError
from tests.analysis import study_writer
from tests.analysis.study_writer import GAMES
from tests.analysis.study_writer import RATES


def test_what_is_read(study):
  assert study.tasks == GAMES and study.arms == ('control', 'injection')
  assert dict(study.axes) == {'optimizer.learning_rate': RATES}
  assert len(study.samples) == 8 and study.has_control
  # The score is the mean of the last tenth, of which 1000 alone is.
  by_run = {s.run: s for s in study.samples}
  assert by_run['injection,pong,0.001'].scores == pytest.approx(
    np.arange(6) * 100 + 10
  )
  assert study.missing == (
    studies.Missing('late', 'failed', 'NaN <b>', '/x/log.txt'),
  )


def test_replicates_of_a_network_count_as_one_seed(tmp_path, synthetic):
  # Their numbers begin at the seed of the network: they overlap.
  folder = study_writer.write_diagnoses(
    tmp_path / 's',
    synthetic,
    [
      (
        f'seed={seed}',
        {'seed': seed},
        {
          'seeds': 4,
          'replicates': 4,
          'seed': seed,
          'arms': {'control': 0.0, 'injection': 0.5},
        },
      )
      for seed in (1, 2, 3)
    ],
  )
  for seed in (1, 2, 3):
    for arm in ('control', 'injection'):
      path = folder / 'runs' / f'seed={seed}' / 'arms' / arm / 'metrics.csv'
      header, rows = synthetic.read_csv(path)
      synthetic.write_csv(
        path, header, [[int(first) + seed - 1, *rest] for first, *rest in rows]
      )
  study = studies.load(folder)
  (gain,) = tables.gains(study)
  differences = [
    diagnosis.load(folder / 'runs' / f'seed={seed}').verdict.effect
    for seed in (1, 2, 3)
  ]
  assert gain.differences == pytest.approx(differences)
  assert gain.p == 2 / 8
  assert {r.runs for r in tables.aggregates(study)} == {3}
  # One dot a network.
  rows = study_figures.against_measurements(study).rows
  assert len(rows) == 3 * len(synthetic.DIAGNOSTICS)
  assert [len(s.measured('train/loss').values) for s in study.samples] == (
    [1] * 6
  )


def test_a_study_of_which_nothing_is_there(write, tmp_path):
  folder = write(
    tmp_path / 's', {'a': ('', {}, 'catch', [1.0], 1)}, failed=('a',)
  )
  with pytest.raises(UserError, match='no run of .* the first: a: NaN <b>'):
    studies.load(folder)


def test_a_run_whose_metrics_are_broken_is_listed(write, tmp_path):
  folder = write(
    tmp_path / 's',
    {name: ('', {'seed': i}, 'catch', [1.0], i) for i, name in enumerate('ab')},
  )
  (folder / 'runs' / 'b' / 'metrics.csv').write_text('seed,step\n1,x\n')
  (missing,) = studies.load(folder).missing
  assert missing.state == 'unreadable' and "'x' is not a number" in (
    missing.error
  )
