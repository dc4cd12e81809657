"""Real studies of tiny runs: what is shared is as if it were not."""

import csv
import json
import pathlib
import subprocess
import sys

import pytest

from tests.run import commands

ROOT = pathlib.Path(__file__).parents[2]
pytestmark = pytest.mark.slow


def run(*arguments):
  done = subprocess.run(
    [sys.executable, '-m', *arguments],
    cwd=ROOT,
    capture_output=True,
    text=True,
    timeout=600,
  )
  assert done.returncode == 0, done.stderr
  return done.stdout


def rows(folder):
  with (folder / 'metrics.csv').open(newline='') as file:
    return [
      {k: v for k, v in row.items() if k != 'seconds'}
      for row in csv.DictReader(file)
    ]


@pytest.fixture(name='study', scope='module')
def fixture_study(tmp_path_factory):
  folder = tmp_path_factory.mktemp('study') / 's'
  out = run(
    'launch.local',
    '--config=tests/launch/tiny_study.py',
    f'--workdir={folder}',
    '--max_parallel=1',
  )
  assert '1 shared prefix for 3 runs' in out and '[4/4] done: ' in out
  return folder


def test_a_shared_prefix_changes_no_bit(study, tmp_path):
  """Against the same run trained whole; its ledger too holds the prefix."""
  alone = tmp_path / 'alone'
  run(
    'plasticity_rl.train',
    '--config=tests/launch/tiny_study.py',
    f'--workdir={alone}',
    '--config.log.progress=False',
    "--config.interventions=('injection(at_steps=200)',)",
  )
  shared = study / 'runs' / 'injection'
  assert len(rows(alone)) == 2 * 400 // 25
  assert rows(shared) == rows(alone)
  events = [(f / 'events.jsonl').read_text() for f in (shared, alone)]
  assert events[0] == events[1] != ''
  ledgers = [
    json.loads((f / 'ledger.json').read_text()) for f in (shared, alone)
  ]
  for key in ('act_flops', 'update_flops', 'total_flops', 'parameters'):
    assert ledgers[0][key] == ledgers[1][key]
  config = json.loads((shared / 'config.json').read_text())
  assert config['overrides'] == {'interventions': ['injection(at_steps=200)']}
  assert config['arm'] == 'injection' and config['past'].startswith('prefix-')


def test_the_same_command_does_nothing_more(study):
  out = run(
    'launch.local', '--config=tests/launch/tiny_study.py', f'--workdir={study}'
  )
  assert '3 runs in ' in out and '3 of them done or left' in out
  assert '] done: ' not in out


def test_the_report_of_it(study, tmp_path):
  result = commands.call('report', study, f'--out={tmp_path}')
  assert result.code == 0, result.err
  page = (tmp_path / 'report.html').read_text()
  for said in (
    'Does a small network that memorises labels',
    'control',
    'injection',
    'Every arm against the control',
    'Compute',
  ):
    assert said in page
  lines = (tmp_path / 'summary.csv').read_text().splitlines()
  assert lines[0].startswith('algorithm,arm,iqm') and len(lines) == 1 + 3
  scores = (tmp_path / 'scores.csv').read_text().splitlines()
  assert len(scores) == 1 + 3 * 2


def test_diagnoses_that_share_their_prefix(tmp_path):
  """Against a diagnosis that trained its own."""
  study, alone = tmp_path / 's', tmp_path / 'alone'
  config = 'tests/launch/tiny_diagnosis.py'
  out = run('launch.local', f'--config={config}', f'--workdir={study}')
  assert '2 shared prefixes for 2 runs' in out
  run(
    'plasticity_rl.diagnose',
    f'--config={config}',
    f'--workdir={alone}',
    '--config.fork.step=200',
    '--config.log.progress=False',
  )
  for arm in ('control', 'injection'):
    shared = study / 'runs' / 'step=200' / 'arms' / arm
    assert rows(shared) == rows(alone / 'arms' / arm) != []
  verdicts = [
    json.loads((f / 'verdict.json').read_text())
    for f in (study / 'runs' / 'step=200', alone)
  ]
  assert verdicts[0] == verdicts[1]
  assert rows(study / 'runs' / 'step=200' / 'prefix') == rows(alone / 'prefix')
