"""The command `verdict`: what it writes, and what it refuses in one line."""

import json

import numpy as np
import pytest

from tests.analysis.curves import writers
from tests.run import commands

FOUND = writers.curves()


def call(out, *arguments):
  return commands.call('verdict', *arguments, f'--out={out}')


def refused(out, said, *arguments):
  result = call(out, *arguments)
  assert result.code == 2, result
  [line] = result.err.splitlines()
  assert line.startswith('error: ') and said in line, line
  assert not result.out and not out.exists()


def test_from_curves_to_a_page(tmp_path):
  out = tmp_path / 'out'
  path = writers.long(tmp_path, FOUND)
  result = call(
    out,
    path,
    '--margin=0.5',
    '--fork_step=500',
    '--horizon=300',
    '--optimizer_rebuilt=injection',
  )
  assert result.code == 0, result.err
  assert 'verdict: losing plasticity (injection - control = +' in result.out
  assert 'note: The optimizer was rebuilt in injection and not' in result.out
  assert result.out.endswith(f'report: {out / "report.html"}\n')
  assert sorted(p.name for p in out.iterdir()) == [
    'report.html',
    'verdict.json',
  ]
  record = json.loads((out / 'verdict.json').read_text())
  at = [writers.STEPS.index(t) for t in (600, 700, 800)]
  by_hand = [
    np.mean((FOUND['injection', s] - FOUND['control', s])[at])
    for s in writers.SEEDS
  ]
  np.testing.assert_allclose(record['arms'][0]['differences'], by_hand)
  assert record['margin'] == 0.5 and record['metric'] == 'return'


def test_an_undecided_one_says_how_many_seeds_would_decide(tmp_path):
  none = writers.curves(gain=0.02)
  result = call(
    tmp_path / 'out',
    writers.long(tmp_path, none),
    '--margin=0.03',
    '--fork_step=500',
  )
  assert 'verdict: undecided' in result.out
  assert 'seeds would decide' in result.out


def lines(change=lambda rows: rows, header='arm,seed,step,return'):
  """A long file of two arms and seeds, after a change."""
  rows = [
    [arm, str(s), str(t), str(s + t / 100 + (arm == 'injection'))]
    for arm in ('control', 'injection')
    for s in (1, 2, 3)
    for t in (0, 100, 200)
  ]
  return '\n'.join([header, *(','.join(r) for r in change(rows))])


def cell(row, column, value):
  def change(rows):
    rows[row][column] = value
    return rows

  return change


MARGIN = ('--margin=1',)


@pytest.mark.parametrize(
  'change, flags, said',
  (
    (lambda r: [x for x in r if x[0] != 'control'], MARGIN, "no arm 'control'"),
    (lambda r: [x for x in r if x[1] == '1'], MARGIN, 'one seed (1)'),
    (
      lambda r: [[a, s + '0' * (a == 'control'), t, v] for a, s, t, v in r],
      MARGIN,
      'no seed in common',
    ),
    (lambda r: r[::-1], MARGIN, 'line 3: steps run backwards, from 200 to 100'),
    (lambda r: r + r, MARGIN, 'line 20: steps run backwards, from 200 to 0'),
    (
      lambda r: [x for x in r for _ in 'ab'],
      MARGIN,
      'line 3: step 0 stands there twice: is it two runs in one column',
    ),
    (cell(4, 3, 'nan'), MARGIN, "'control', seed 2 is nan at step 100"),
    (cell(4, 3, 'oops'), MARGIN, "column 'return': 'oops' is not a number"),
    (cell(4, 2, '1.5'), MARGIN, 'a step must be a whole number, found 1.5'),
    (cell(4, 1, 'x'), MARGIN, "column 'seed': 'x' is not a number"),
    (cell(4, 0, ''), MARGIN, "line 6, column 'arm' is empty"),
    (None, (*MARGIN, '--horizon=201'), 'give --horizon=200 or less'),
    (None, (*MARGIN, '--horizon=0'), 'horizon must be at least 1'),
    (None, (*MARGIN, '--fork_step=200'), 'the fork is at step 200'),
    (None, (*MARGIN, '--metric=loss'), "unknown metric 'loss'"),
    (None, (*MARGIN, '--task=a'), "unknown task 'a'"),
    (None, (*MARGIN, '--control=base'), "no arm 'base' to compare with"),
    (None, (*MARGIN, '--injection=control'), 'the same arm'),
    (None, (*MARGIN, '--columns=arm'), '--columns takes pairs'),
    (None, (*MARGIN, '--columns=arms=x'), "unknown column 'arms'; did you"),
    (None, (*MARGIN, '--optimizer_rebuilt=x'), "unknown arm 'x'"),
    (None, ('--margin=0',), 'margin must be a positive number'),
    (None, (), 'give --margin, the smallest gain that matters'),
  ),
)
def test_bad_curves_are_refused_in_a_line(tmp_path, change, flags, said):
  path = tmp_path / 'c.csv'
  path.write_text(lines(change) if change else lines())
  refused(tmp_path / 'out', said, path, *flags)


@pytest.mark.parametrize(
  'name, text, said',
  (
    ('c.csv', '', 'c.csv is empty'),
    ('c.csv', 'a,b\n1,2', 'expected the columns arm, seed, step and a metric'),
    ('c.csv', 'arm,step,return\nx,1,2', 'expected the columns arm, seed, step'),
    ('c.txt', 'x', 'c.txt is of no known kind: give a .csv file'),
    (
      'c.csv',
      'Step,x-s1 - r,x-s1 - r\n1,2,3',
      'twice: are they two runs of one name?',
    ),
    ('c.csv', 'Time,x-s1 - r\n1,2', 'no column of steps'),
    ('c.csv', 'Step,x - r,y - r\n1,2,3', "no seed in the name of the run 'x'"),
    ('c.csv', '#{}\nr,l,t\n1,2,3', 'JSON with t_start'),
    ('c.csv', '#{"t_start": 1}\nr,l,t\n1,0,3', 'at least 1 step'),
    ('evaluations.npz', 'x', 'evaluations.npz (timesteps and results'),
    ('c.csv', 'step,a,b\n0,1,2\n1,1,2', 'which metric? Give --metric'),
  ),
)
def test_files_that_are_no_curves(tmp_path, name, text, said):
  path = tmp_path / name
  path.write_text(text)
  refused(tmp_path / 'out', said, path, *MARGIN)


def test_paths_that_are_no_curves(tmp_path):
  out = tmp_path / 'out'
  refused(out, 'no such file or folder', tmp_path / 'no', *MARGIN)
  refused(out, 'no curves in', tmp_path, *MARGIN)
  refused(out, 'give the curves', *MARGIN)


def test_two_files_of_one_run_are_refused(tmp_path):
  folder = writers.per_run(tmp_path / 'logs', FOUND)
  again = folder / 'control' / 'again_1'
  again.mkdir()
  (again / 'progress.csv').write_text('step,rollout/ep_rew_mean\n0,1\n1,2')
  (folder / 'control' / '1').rename(folder / 'control_again_1')
  (again).rename(folder / 'control' / '1')
  (folder / 'control_again_1').rename(folder / 'control' / 'seed_1')
  refused(
    tmp_path / 'out', "two runs for arm 'control', seed 1: ", folder, *MARGIN
  )
