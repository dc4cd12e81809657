import csv
import importlib.util
import json
import pathlib

import numpy as np
import pytest
from rliable import library as rly
from rliable import metrics as rly_metrics

from plasticity_rl.analysis import report
from plasticity_rl.analysis.pages import study_figures
from plasticity_rl.analysis.pages import study_page
from plasticity_rl.analysis.study import file as study_file
from plasticity_rl.analysis.study import study as studies
from plasticity_rl.analysis.study import tables
from plasticity_rl.analysis.verdict import diagnosis
from plasticity_rl.analysis.verdict import statistics
from plasticity_rl.errors import UserError
from tests.run import commands


@pytest.fixture(name='write', scope='session')
def fixture_write(synthetic):
  path = pathlib.Path(__file__).parent / 'study_writer.py'
  spec = importlib.util.spec_from_file_location('study_writer', path)
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  return lambda folder, runs, **more: module.write(
    folder, runs, synthetic, **more
  )


RATES = (1e-4, 1e-3)
GAMES = ('catch', 'pong')


def _runs():
  """Injection gains 1 on catch at the high rate, 10 on pong at both."""
  found = {}
  for game in GAMES:
    for rate in RATES:
      base = np.arange(6.0) * (1 if game == 'catch' else 100)
      gain = 10.0 if game == 'pong' else 1.0 * (rate == 1e-3)
      for arm, more in (('control', 0.0), ('injection', gain)):
        found[f'{arm},{game},{rate}'] = (
          arm,
          {'environment.name': game, 'optimizer.learning_rate': rate},
          game,
          base + more,
          1,
        )
  return found


@pytest.fixture(name='folder', scope='module')
def fixture_folder(write, tmp_path_factory):
  return write(
    tmp_path_factory.mktemp('study') / 's',
    _runs()
    | {
      'late': ('control', {'optimizer.learning_rate': 1.0}, 'catch', [1.0], 1)
    },
    failed=('late',),
  )


@pytest.fixture(name='study', scope='module')
def fixture_study(folder):
  return studies.load(folder)


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


def _write_diagnoses(folder, write, synthetic, runs):
  """A study of them; `runs` are (name, axes, arguments of the writer)."""
  folder = write(folder, {'x': ('', {}, 'catch', [1.0], 1)})
  listed = {}
  for name, axes, options in runs:
    synthetic.write_diagnosis(folder / 'runs' / name, **options)
    (folder / 'jobs' / name).mkdir(parents=True)
    (folder / 'jobs' / name / 'state.json').write_text('{"state": "done"}')
    listed[name] = {'arm': '', 'axes': axes}
  record = json.loads((folder / 'study.json').read_text())
  (folder / 'study.json').write_text(json.dumps({**record, 'runs': listed}))
  return folder


def test_replicates_of_a_network_count_as_one_seed(write, tmp_path, synthetic):
  # Their numbers begin at the seed of the network: they overlap.
  folder = _write_diagnoses(
    tmp_path / 's',
    write,
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


@pytest.mark.slow
def test_a_study_of_diagnoses(synthetic, write, tmp_path):
  folder = _write_diagnoses(
    tmp_path / 's',
    write,
    synthetic,
    [
      (
        f'step={i}',
        {'fork.step': i},
        {
          'seeds': 8,
          'seed': i,
          'noise': 0.02,
          'arms': {'control': 0.0, 'injection': gain},
        },
      )
      for i, gain in enumerate((0.0, 1.0))
    ],
  )
  study = studies.load(folder)
  gains = tables.gains(study)
  # The ramp of the synthetic arms gives the gain but for its first half.
  assert gains[0].interval.estimate == pytest.approx(0, abs=0.1)
  assert gains[1].interval.estimate > 0.5
  assert gains[1].margin == 0.2 and gains[1].percent.low > 0
  one = study_figures.against_measurements(study)
  assert {row[0] for row in one.rows} == {
    f'plasticity/{d}' for d in synthetic.DIAGNOSTICS
  }
  page = study_page.build(study, one)
  assert 'Gain by step' in page and 'before' not in study.arms


def test_the_page(study, check_page):
  page = study_page.build(study, study_figures.default(study), note='a <note>')
  checker, drawings = check_page(page)
  text = ' '.join(checker.text)
  for said in (
    'Does it help?',
    '1 run missing',
    'NaN <b>',
    '/x/log.txt',
    '8 of 9',
    'Percent change = 100 (a - c) / max(|c|, m)',
    'Gain by learning_rate',
    'Performance profiles',
    'beats control',
    'a <note>',
    '0123abc',
    'Learning curves',
    'Diagnostics through time',
    'FLOPs',
  ):
    assert said in text, said
  assert page.index('1 run missing') < page.index('<figure')
  files = {a['download'] for t, a in checker.tags if 'download' in a}
  assert files >= {
    'answer.csv',
    'iqm.csv',
    'profiles.csv',
    'curves.csv',
    'diagnostics.csv',
    'compute.csv',
  }
  anchors = {a['id'] for t, a in checker.tags if t == 'section'}
  links = {
    a['href'][1:]
    for t, a in checker.tags
    if t == 'a' and a['href'].startswith('#')
  }
  assert links == anchors and 'axis-learning_rate' in anchors
  assert len(drawings) > 10


def test_the_command(folder, tmp_path):
  result = commands.call('report', folder, f'--out={tmp_path}')
  assert result.code == 0, result.err
  assert 'note: late is failed: NaN <b>' in result.out
  assert 'note: scores of different tasks are taken as they are' in result.out
  assert result.out.endswith(f'report: {tmp_path / "report.html"}\n')
  page = (tmp_path / 'report.html').read_text()
  assert 'file, nowhere/study.py, is not here' in page.replace('&#x27;', "'")
  with (tmp_path / 'summary.csv').open() as file:
    arms = {row['arm'] for row in csv.DictReader(file)}
  assert arms == {
    f'{arm}, learning_rate {rate:g}'
    for arm in ('control', 'injection')
    for rate in RATES
  }
  # What it writes is what --scores reads.
  again = commands.call('report', f'--scores={tmp_path / "scores.csv"}')
  assert again.code == 0 and 'injection, learning_rate 0.001' in again.out


@pytest.mark.parametrize(
  'arguments, message',
  (
    ([], 'give --out=DIR'),
    (['--out=/tmp/x', '--margin=1'], '--margin is for a diagnosis'),
    (['--out=/tmp/x', '--metric=eval/retrun'], "did you mean 'eval/return'"),
    (['--out=/tmp/x', 'other'], 'report a study on its own'),
  ),
)
def test_mistakes(folder, arguments, message):
  result = commands.call('report', folder, *arguments)
  assert result.code == 2 and message in result.err
  assert len(result.err.splitlines()) == 1


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


def test_the_figure_of_the_studys_file(write, tmp_path, folder):
  path = tmp_path / 'mine.py'
  path.write_text('def figure(study):\n  return 7\n')
  own = write(
    tmp_path / 's', {'a': ('', {}, 'catch', [1.0], 1)}, source=f'{path}:small'
  )
  function, note = study_file.figure(own)
  assert function(None) == 7 and note == ''
  path.write_text('import nothing_of_this_name')
  function, note = study_file.figure(own)
  assert function is None and 'nothing_of_this_name' in note
  path.write_text('')
  assert study_file.figure(own) == (None, '')


@pytest.mark.slow
def test_a_figure_that_cannot_be_drawn_yet(folder, tmp_path):
  report.study(
    folder,
    tmp_path,
    figure=lambda study: study_figures.along_axis(study, 'network.hidden'),
  )
  page = (tmp_path / 'report.html').read_text()
  assert 'own figure cannot be drawn yet: unknown axis' in page


def test_what_was_computed_is_counted_once(write, tmp_path, synthetic):
  """Runs hold the prefix that they share in their ledgers, prefixes as well."""
  folder = write(
    tmp_path / 's',
    {
      name: (name, {}, 'catch', [1.0, 2.0], 1)
      for name in ('control', 'injection')
    },
  )
  source = folder / 'runs' / 'control'

  def change(path, ledger, prefix):
    (path / 'ledger.json').write_text(json.dumps(ledger))
    record = json.loads((path / 'config.json').read_text())
    (path / 'config.json').write_text(json.dumps({**record, 'past': prefix}))

  for name, prefix, flops in (('p1', '', 10.0), ('p2', 'prefix-p1', 30.0)):
    path = folder / 'prefixes' / name
    path.mkdir(parents=True)
    for file in ('config.json', 'metrics.csv'):
      (path / file).write_text((source / file).read_text())
    change(path, {'total_flops': flops, 'seconds': flops / 10}, prefix)
  for name in ('control', 'injection'):
    change(
      folder / 'runs' / name,
      {'total_flops': 100.0, 'seconds': 10.0},
      'prefix-p2',
    )
  flops, seconds = study_page.spent(studies.load(folder))
  # 10 and 20 for the prefixes, 70 for each run; two seeds in each program.
  assert flops == 2 * (10 + 20 + 70 + 70)
  assert seconds == pytest.approx(1 + 2 + 7 + 7)
