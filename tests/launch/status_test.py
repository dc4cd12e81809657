import math
import pathlib
import shutil
import subprocess
import sys

import pytest

from launch import folder as folder_lib
from launch import lease as lease_lib
from launch import progress
from tests.launch import fakes
from tests.run import commands


def _metrics(folder, steps, value=lambda step: step):
  folder.mkdir(parents=True, exist_ok=True)
  lines = ['seed,step,frames,updates,seconds,train/return,eval/return']
  for step in steps:
    for seed in (1, 2):  # The mean is `value`; it is evaluated every 20 steps.
      shown = value(step) + (-1) ** seed if step % 20 == 0 else ''
      lines.append(f'{seed},{step},{step},{step},{step / 5},9,{shown}')
  (folder / 'metrics.csv').write_text('\n'.join(lines) + '\n1,99')


@pytest.fixture(name='study')
def fixture_study(tmp_path):
  """A job in each state."""
  jobs = {
    'prefix-p': fakes.spec('', kind='prefix', folder='prefixes/p', end=50),
    'done': fakes.spec('', past='prefix-p', past_step=50),
    'lost<b>': fakes.spec(''),
    'running': fakes.spec(''),
    'failed': fakes.spec(''),
    'forked': fakes.spec(
      '', kind='diagnose', folder='runs/forked', arms=2, horizon=40, end=60
    ),
  }
  fakes.write(tmp_path, jobs)
  folder_lib.write_state(tmp_path, 'done', state='done', host='here')
  _metrics(tmp_path / 'runs' / 'done', range(10, 101, 10))
  folder_lib.write_state(
    tmp_path,
    'failed',
    state='failed',
    error='the loss became NaN',
    log='/x/log.txt',
  )
  lease_lib.acquire(folder_lib.job_folder(tmp_path, 'running'))
  _metrics(tmp_path / 'runs' / 'running', range(10, 41, 10))
  lease_lib.acquire(folder_lib.job_folder(tmp_path, 'forked'))
  _metrics(tmp_path / 'runs' / 'forked' / 'prefix', range(10, 61, 10))
  _metrics(tmp_path / 'runs' / 'forked' / 'arms' / 'a', range(60, 81, 10))
  return tmp_path


def test_progress_of_every_job(study):
  jobs = {job.name: job for job in progress.read(study)}
  assert [job.name for job in jobs.values()][0] == 'prefix-p'
  assert {n: j.state for n, j in jobs.items()} == {
    'prefix-p': 'waiting',
    'done': 'done',
    'lost<b>': 'waiting',
    'running': 'running',
    'failed': 'failed',
    'forked': 'running',
  }
  done = jobs['done']
  assert (done.done, done.total, done.left) == (50, 50, 0.0)
  assert done.curve == (20.0, 40.0, 60.0, 80.0, 100.0) and done.last == 100
  running = jobs['running']
  assert (running.done, running.total) == (40, 100)
  assert running.rate == pytest.approx(5.0)
  assert running.left == pytest.approx(12.0)
  # Its own prefix, and an arm of two so far.
  assert (jobs['forked'].done, jobs['forked'].total) == (60 + 20, 60 + 2 * 40)
  assert math.isnan(jobs['lost<b>'].rate) and jobs['lost<b>'].curve == ()


def test_the_table_says_it_all(study):
  result = commands.call('status', study, '--once', package='launch')
  assert result.code == 0, result.err
  for said in (
    'Is it fake?',
    '1 done, 2 running, 1 failed, 2 waiting',
    '40%',
    '12 s',
    'the loss became NaN',
    'log: /x/log.txt',
    '█',
    'lost<b>',
    'about ',
  ):
    assert said in result.out, said


@pytest.mark.parametrize(
  'arguments, message',
  (
    ([], 'give the folder of one study'),
    (['/nope'], 'no such folder: /nope'),
    (['configs'], 'configs is not a study: it has no study.json'),
  ),
)
def test_mistakes(arguments, message):
  result = commands.call('status', *arguments, '--once', package='launch')
  assert result.code == 2 and message in result.err
  assert len(result.err.splitlines()) == 1


def test_the_live_table_ends_when_all_is_over(study):
  for name in ('prefix-p', 'running', 'forked', 'lost<b>'):
    folder_lib.write_state(study, name, state='done')
  script = shutil.which('script')  # Gives it a terminal.
  if script is None:
    pytest.skip('no program `script`')
  command = f'{sys.executable} -m launch.status {study}'
  done = subprocess.run(
    [script, '-qec', command, '/dev/null'],
    capture_output=True,
    text=True,
    cwd=pathlib.Path(__file__).parents[2],
    timeout=60,
  )
  assert done.returncode == 0 and '5 done, 1 failed' in done.stdout


@pytest.mark.parametrize(
  'values, line',
  (
    ([], ''),
    ([1.0], '▁'),
    ([0, 1], '▁█'),
    ([1, 0, float('nan'), 1], '█▁█'),
    (list(range(32)), '▁▁▂▂▃▃▄▄▅▅▆▆▇▇██'),
  ),
)
def test_spark_lines(values, line):
  assert progress.spark(values) == line


@pytest.mark.parametrize(
  'seconds, text',
  (
    (5, '5 s'),
    (100, '2 min'),
    (5000, '83 min'),
    (7200, '2.0 h'),
    (5e5, '5.8 d'),
    (float('nan'), ''),
  ),
)
def test_durations(seconds, text):
  assert progress.duration(seconds) == text
