"""Runs on a real Slurm of one node, which a script starts; root only.

What Slurm does to a job, it does here while the job's process stands still at
a checkpoint: nothing depends on how fast anything is.
"""

import concurrent.futures
import csv
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import pytest

from launch import folder as folder_lib
from tests.run import commands

ROOT = pathlib.Path(__file__).resolve().parents[2]
START = ROOT / 'tests' / 'launch' / 'start_slurm.sh'
STUDY = 'tests/launch/tiny_study.py:alone'
REQUEUED, KILLED, LATE = (f'learning_rate=0.00{i}' for i in (1, 2, 3))
pytestmark = pytest.mark.slow
# Not first within a command whose output is caught: it logs to that for good.
pytest.importorskip('submitit', reason='submitit is not installed')


def _why_not():
  if os.getuid() != 0:
    return 'a Slurm for tests can be started by root only'
  programs = ('munged', 'slurmctld', 'slurmd', 'sbatch')
  path = os.environ['PATH'] + ':/usr/sbin'
  missing = [x for x in programs if shutil.which(x, path=path) is None]
  if missing:
    return f'no {missing[0]}: apt-get install slurm-wlm munge'
  return ''


@pytest.fixture(name='cluster', scope='module')
def fixture_cluster(tmp_path_factory):
  """The environment in which the cluster's commands work."""
  why = _why_not()
  if why:
    pytest.skip(why)
  # In /tmp itself: the path of a socket may have 107 characters.
  folder = tmp_path_factory.mktemp('slurm')
  started = subprocess.run(
    [START, 'start', folder], capture_output=True, text=True, timeout=120
  )
  assert started.returncode == 0, started.stderr
  name, _, value = started.stdout.strip().splitlines()[-1].partition('=')
  environment = {**os.environ, name: value}
  try:
    yield environment
    subprocess.run(['scancel', '--full', '--user=root'], env=environment)
  finally:
    subprocess.run([START, 'stop', folder], timeout=60)


def launch(environment, engine, *arguments):
  return subprocess.run(
    [sys.executable, '-m', f'launch.{engine}', *arguments],
    cwd=ROOT,
    env=environment,
    capture_output=True,
    text=True,
    timeout=300,
  )


def wait_for(what, seconds=180, between=0.1):
  for _ in range(round(seconds / between)):
    value = what()
    if value:
      return value
    time.sleep(between)
  raise AssertionError('it never happened')


def hold(folder, name):
  """Stops the training of a job at one of its checkpoints; its process."""
  checkpoints = folder / 'runs' / name / 'checkpoints'
  wait_for(
    lambda: (
      checkpoints.exists()
      and any(p.name.isdigit() for p in checkpoints.iterdir())
    ),
    between=0.01,
  )
  lease = max((folder / 'jobs' / name).glob('lease-*'))
  process = json.loads(lease.read_text())['child']
  os.kill(process, signal.SIGSTOP)
  return process


def metrics(folder):
  with (folder / 'metrics.csv').open(newline='') as file:
    return [
      {k: v for k, v in row.items() if k != 'seconds'}
      for row in csv.DictReader(file)
    ]


def test_whatever_slurm_does_the_results_are_the_local_ones(cluster, tmp_path):
  folder, local = tmp_path / 'slurm', tmp_path / 'local'
  submitted = launch(
    cluster,
    'slurm',
    f'--config={STUDY}',
    f'--workdir={folder}',
    '--time_min=1',
    '--signal_delay_s=30',
    '--partition=test',
    '--config.num_steps=2000',
  )
  assert submitted.returncode == 0, submitted.stderr
  assert '3 jobs in Slurm: ' in submitted.stdout
  jobs = folder / 'jobs'
  ids = {
    name: json.loads((jobs / name / 'slurm.json').read_text())['id']
    for name in (REQUEUED, KILLED, LATE)
  }
  assert len({i.partition('_')[0] for i in ids.values()}) == 1  # One array.

  # All are waited for at once, or one would end while another is held.
  with concurrent.futures.ThreadPoolExecutor() as pool:
    held = {name: pool.submit(hold, folder, name) for name in ids}
    held[REQUEUED].result()
    subprocess.run(
      ['scontrol', 'requeue', ids[REQUEUED]], env=cluster, check=True
    )
    os.kill(held[KILLED].result(), signal.SIGKILL)
    late = held[LATE].result()

  # What is in the queue is not submitted again.
  again = launch(
    cluster,
    'slurm',
    f'--config={STUDY}',
    f'--workdir={folder}',
    '--config.num_steps=2000',
  )
  assert again.returncode == 0, again.stderr
  assert 'are in the queue already' in again.stdout

  def out_of_time():
    logs = (jobs / 'slurm').glob(f'{ids[LATE]}_*.err')
    return any('Caught signal SIGUSR2' in p.read_text() for p in logs)

  pending = {}  # Looks at which a job was found pending.

  def hasten(name):
    """Slurm puts a requeued job off for two minutes: seconds will do.

    At once will not: a node refuses what it has killed within the second.
    """
    reason = subprocess.run(
      ['squeue', '--noheader', f'--jobs={ids[name]}', '--format=%r'],
      env=cluster,
      capture_output=True,
      text=True,
    ).stdout.strip()
    pending[name] = pending.get(name, 0) + 1 if reason == 'BeginTime' else 0
    if pending[name] > 30:
      subprocess.run(
        ['scontrol', 'update', f'JobId={ids[name]}', 'StartTime=now'],
        env=cluster,
        capture_output=True,
      )
      pending[name] = 0

  wait_for(out_of_time)
  os.kill(late, signal.SIGCONT)
  states = {}

  def finished():
    for name in ids:
      hasten(name)
      states[name] = folder_lib.read_state(folder, name)
      assert states[name]['state'] != 'failed', states[name]
    return all(s['state'] == 'done' for s in states.values())

  wait_for(finished)
  assert states[REQUEUED]['attempts'] > 1
  assert states[LATE]['attempts'] > 1
  log = (jobs / KILLED / 'log.txt').read_text()
  assert log.count('$ python -m plasticity_rl.train') > 1

  done = launch(
    cluster,
    'local',
    f'--config={STUDY}',
    f'--workdir={local}',
    '--config.num_steps=2000',
  )
  assert done.returncode == 0, done.stderr
  for name in ids:
    rows = metrics(local / 'runs' / name)
    assert rows[-1]['step'] == '2000'
    assert rows == metrics(folder / 'runs' / name)


def test_what_slurm_refuses_is_passed_on(cluster, tmp_path):
  refused = launch(
    cluster,
    'slurm',
    f'--config={STUDY}',
    f'--workdir={tmp_path / "s"}',
    '--partition=gold',
  )
  assert refused.returncode == 2
  (line,) = refused.stderr.splitlines()
  assert line.startswith('error: Slurm: ')
  assert 'invalid partition specified: gold' in line


def test_engine_that_is_not_there(monkeypatch, tmp_path):
  arguments = (f'--config={STUDY}', f'--workdir={tmp_path / "s"}')
  monkeypatch.setenv('PATH', '/nowhere')
  result = commands.call('slurm', *arguments, package='launch')
  assert result.code == 2 and 'there is no sbatch here' in result.err
  monkeypatch.setitem(sys.modules, 'submitit', None)
  result = commands.call('slurm', *arguments, package='launch')
  assert result.code == 2
  assert 'submitit is not installed: pip install -e' in result.err
  assert '[slurm]' in result.err
