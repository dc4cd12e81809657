import numpy as np
import pytest

from plasticity_rl.analysis import tables
from plasticity_rl.errors import UserError


@pytest.fixture
def write(tmp_path):
  def write(text):
    path = tmp_path / 'metrics.csv'
    path.write_text(text)
    return path

  return write


def test_columns_and_series(write):
  table = tables.read_metrics(
    write(
      'seed,step,frames,eval/return,train/loss\n'
      '2,0,0,1.5,\n1,0,0,0.5,\n1,10,40,,nan\n2,20,80,3,0.1\n'
    )
  )  # pyformat: disable
  assert len(table) == 4
  assert table.metrics == ('eval/return', 'train/loss')
  series = table.series('eval/return')
  np.testing.assert_array_equal(series.seeds, [1, 2])
  np.testing.assert_array_equal(series.steps, [0, 20])
  np.testing.assert_array_equal(series.values, [[0.5, np.nan], [1.5, 3]])
  np.testing.assert_array_equal(series.measured, [[1, 0], [1, 1]])
  # A loss that diverged was measured; an empty cell was not.
  assert table.series('train/loss').measured[0, 0]


def test_between_leaves_out_its_start_and_keeps_its_end(write):
  rows = ''.join(f'1,{t},{t}\n' for t in (0, 10, 20, 30))
  series = tables.read_metrics(write('seed,step,a/b\n' + rows)).series('a/b')
  np.testing.assert_array_equal(series.between(10, 30).steps, [20, 30])
  np.testing.assert_array_equal(series.between(10, 30).values, [[20, 30]])


@pytest.mark.parametrize(
  'text, message',
  [
    ('', 'metrics.csv is empty'),
    ('seed,step,a/b\n', 'no rows'),
    ('step,a/b\n1,2\n', "no column 'seed'; needed: seed, step"),
    ('seed,step,a/b\n1,2,x\n', r"line 2, column 'a/b': 'x' is not a num"),
    ('seed,step,a/b\n1,2\n', 'line 2: 2 cells under a header of 3'),
    ('seed,step,a/b\n1.5,2,3\n', "line 2, column 'seed': a whole number"),
    ('seed,step,a/b\n1,,3\n', "line 2, column 'step': a whole number"),
    ('seed,step\n1,2\n1,3\n1,2\n', 'line 4: seed 1, step 2 stands there'),
    ('seed,step,seed\n1,2,1\n', "column 'seed' twice"),
  ],
)
def test_bad_files_are_named_in_one_line(write, text, message):
  with pytest.raises(UserError, match=message) as caught:
    tables.read_metrics(write(text))
  assert '\n' not in str(caught.value)


def test_missing_file_and_unknown_metric(write, tmp_path):
  with pytest.raises(UserError, match='no such file'):
    tables.read_metrics(tmp_path / 'none.csv')
  table = tables.read_metrics(write('seed,step,eval/return\n1,2,3\n'))
  with pytest.raises(UserError, match="did you mean 'eval/return'"):
    table.series('eval/retrun')
