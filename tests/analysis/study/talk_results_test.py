import csv
import io
import json

import pytest

from plasticity_rl.analysis.study import talk_results
from plasticity_rl.errors import UserError
from tests.analysis import talk_writer

GAINS = {'lost': 0.6, 'healthy': 0.0, 'worse': -0.6}


@pytest.fixture(name='run')
def fixture_run(tmp_path, synthetic):
  return talk_writer.write(tmp_path, synthetic, GAINS, launched=[*GAINS][:2])


def test_what_became_of_each_claim(run):
  talk = talk_results.load(run)
  assert [(p.name, j.outcome) for p, j in talk.claims] == [
    ('lost', 'shown'),
    ('healthy', 'not shown'),
  ]
  assert talk.without == {'worse': 'not launched'}
  assert talk.parts[0].title == 'Does it gain on lost?'
  text = talk_results.to_text(talk.parts, talk.without)
  assert 'lost     lost     shown' in text
  assert 'note: worse: not launched' in text
  assert 'note: lost: its file was not committed when its runs began' in text


def test_the_table(run):
  talk = talk_results.load(run)
  rows = list(csv.DictReader(io.StringIO(talk_results.to_csv(talk.parts))))
  assert [row['claim'] for row in rows] == ['lost', 'healthy']
  first = rows[0]
  found = talk.parts[0].judged[0].findings[0]
  assert float(first['effect']) == pytest.approx(found.interval.estimate, 1e-5)
  assert float(first['low']) == pytest.approx(found.interval.low, 1e-5)
  assert first['rule'] == 'injection − control > 0.1'
  assert (first['seeds'], first['agent']) == ('10', 'dqn')
  assert first['steps'] == '6,000, then 3,000 in each arm'
  # Prefix and two arms of 12.5 s, as the writer has it.
  assert float(first['seconds']) == pytest.approx(37.5)
  assert first['machine'] == '2 x some cpu'
  assert first['run_commit'] == '0123456789abcdef'
  assert first['claim_commit'] == 'not committed'


def test_the_setting(run):
  study = talk_results.load(run).parts[0].study
  assert talk_results.setting(study) == {
    'agent': 'dqn',
    'environment': 'catch',
    'steps': '6,000, then 3,000 in each arm',
    'seeds': '10 (1 to 10)',
    'arms': 'control, injection',
    'score': 'the mean eval/return after the fork',
  }


def test_a_claim_that_was_changed_is_told(run):
  path = run.parent / 'talk_parts' / 'healthy.py'
  path.write_text(path.read_text().replace('bound=0.1', 'bound=-1.0'))
  healthy = talk_results.load(run).parts[1]
  assert healthy.judged[0].outcome == 'shown'
  assert 'its claims were changed after its runs began' in healthy.doubts


def test_a_part_that_is_not_finished(run):
  (run / 'healthy' / 'jobs' / 'all' / 'state.json').write_text('{}')
  talk = talk_results.load(run)
  assert [part.name for part in talk.parts] == ['lost']
  assert 'all: waiting' in talk.without['healthy']
  (run / 'lost' / 'jobs' / 'all' / 'state.json').write_text('{}')
  with pytest.raises(
    UserError, match='no part of .* has results yet; lost: no'
  ):
    talk_results.load(run)


def test_a_talk_whose_file_is_gone(run):
  record = json.loads((run / 'talk.json').read_text())
  record['source'] = 'nowhere/talk.py:small'
  (run / 'talk.json').write_text(json.dumps(record))
  with pytest.raises(UserError, match='there is no config file'):
    talk_results.load(run)
