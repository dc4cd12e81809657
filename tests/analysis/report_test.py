import csv

import pytest

from tests.analysis import talk_writer
from tests.analysis.study_writer import RATES
from tests.run import commands


def test_the_command(folder, tmp_path):
  result = commands.call('report', folder, f'--out={tmp_path}')
  assert result.code == 0, result.err
  assert 'note: late is failed: NaN <b>' in result.out
  assert 'note: scores of different tasks are taken as they are' in result.out
  assert result.out.endswith(f'report: {tmp_path / "report.html"}\n')
  assert not (tmp_path / 'claims.csv').exists()  # It makes none.
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


def test_the_claims_of_a_study(synthetic, tmp_path):
  run = talk_writer.write(tmp_path, synthetic, {'lost': 0.6})
  out = tmp_path / 'out'
  # Another metric is of the page: it decides no claim.
  for more in ([], ['--metric=train/loss']):
    result = commands.call('report', run / 'lost', f'--out={out}', *more)
    assert result.code == 0, result.err
    assert 'lost  lost   shown' in result.out
    assert 'note: lost: its file was not committed' in result.out
    with (out / 'claims.csv').open() as file:
      (row,) = csv.DictReader(file)
    assert (row['part'], row['claim'], row['outcome']) == (
      'lost',
      'lost',
      'shown',
    )
    assert float(row['effect']) == pytest.approx(0.6, abs=0.1)
    assert 'What would change our mind' in (out / 'report.html').read_text()


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
