import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

import pytest

from launch import folder as folder_lib
from launch import job
from launch import lease as lease_lib
from tests.launch import fakes


def do(folder, jobs, name='a'):
  fakes.write(folder, jobs)
  return job.Worker(folder).do(name)


def test_done_once(tmp_path):
  count = tmp_path / 'count'
  jobs = {'a': fakes.spec(fakes.DONE, count)}
  for _ in range(2):
    assert do(tmp_path, jobs) == 0
  assert count.read_text() == 'x'
  state = folder_lib.read_state(tmp_path, 'a')
  assert state['state'] == 'done' and state['attempts'] == 1
  assert 'error' not in state
  record = json.loads((tmp_path / 'runs' / 'a' / 'config.json').read_text())
  assert record['overrides'] == {'seed': 3}
  assert record['command'].startswith('python -c ')
  log = (tmp_path / 'jobs' / 'a' / 'log.txt').read_text()
  assert log.startswith('$ python -c ')


@pytest.mark.parametrize(
  'code, said',
  (
    ('import sys; print("x"); sys.exit("error: too hot")', 'too hot'),
    ('raise ValueError("deep")', 'ValueError: deep'),
    ('import sys; sys.exit(2)', 'no output'),
    (
      'import os; os.kill(os.getpid(), 9)',
      'killed by SIGKILL (out of memory?), 3 times',
    ),
  ),
)
def test_what_fails_says_why(tmp_path, code, said):
  assert do(tmp_path, {'a': fakes.spec(code)}) in (1, 2)
  state = folder_lib.read_state(tmp_path, 'a')
  assert state['state'] == 'failed'
  assert state['error'] == said
  assert pathlib.Path(state['log']).exists()
  # It can be tried again, and what was wrong is forgotten.
  assert do(tmp_path, {'a': fakes.spec('')}) == 0
  state = folder_lib.read_state(tmp_path, 'a')
  assert state['attempts'] == 2 and 'error' not in state


def test_a_killed_process_goes_on(tmp_path):
  code = (
    'import os, sys, pathlib; p = pathlib.Path(sys.argv[1]);'
    'n = int(p.read_text()) if p.exists() else 0; p.write_text(str(n + 1));'
    'n < 2 and os.kill(os.getpid(), 9)'
  )
  assert do(tmp_path, {'a': fakes.spec(code, tmp_path / 'n')}) == 0
  assert (tmp_path / 'n').read_text() == '3'


_SAVES = (
  'import signal, sys, time, pathlib;'
  'signal.signal(signal.SIGTERM, lambda *_: sys.exit(75));'
  'pathlib.Path(sys.argv[1]).touch(); time.sleep(60)'
)


def _when_there(path, act):
  def wait():
    while not path.exists():
      time.sleep(0.01)
    act()

  threading.Thread(target=wait, daemon=True).start()


def test_stopped_it_saves_and_waits_for_the_next(tmp_path):
  flag = tmp_path / 'on'
  fakes.write(tmp_path, {'a': fakes.spec(_SAVES, flag)})
  worker = job.Worker(tmp_path)
  _when_there(flag, worker.stop)
  assert worker.do('a') == 75
  assert folder_lib.read_state(tmp_path, 'a')['state'] == 'waiting'
  assert do(tmp_path, {'a': fakes.spec('')}) == 0


def test_what_another_worker_does_is_left_alone(tmp_path):
  fakes.write(tmp_path, {'a': fakes.spec('')})
  lease = lease_lib.acquire(folder_lib.job_folder(tmp_path, 'a'))
  assert folder_lib.read_state(tmp_path, 'a')['state'] == 'running'
  assert job.Worker(tmp_path).do('a') == job.BUSY
  lease.release()
  assert job.Worker(tmp_path).do('a') == 0


def test_a_signal_for_the_scheduler_does_not_reach_the_run(tmp_path):
  code = 'import os, signal; os.kill(os.getpid(), signal.SIGUSR2)'
  assert do(tmp_path, {'a': fakes.spec(code)}) == 0


def _prefix(code, *arguments, **facts):
  return fakes.spec(
    code, *arguments, kind='prefix', folder='prefixes/p', **facts
  )


_TRAINS = (
  'import sys, pathlib; p = pathlib.Path(sys.argv[1]);'
  'c = p / "checkpoints" / "0000000050"; c.mkdir(parents=True);'
  '(c / "arrays").write_text("weights");'
  '(p / "metrics.csv").write_text("seed,step\\n1,50\\n");'
  '(p / "ledger.json").write_text("{}")'
)


def test_a_run_goes_on_from_its_prefix(tmp_path):
  jobs = {
    'prefix-p': _prefix(_TRAINS, tmp_path / 'prefixes' / 'p'),
    'a': fakes.spec('', past='prefix-p', past_step=50),
    'b': fakes.spec('', past='prefix-p', past_step=50),
  }
  for name in ('a', 'b'):  # The prefix is trained once: a second time it fails.
    assert do(tmp_path, jobs, name) == 0
    run = tmp_path / 'runs' / name
    assert (run / 'metrics.csv').read_text() == 'seed,step\n1,50\n'
    arrays = run / 'checkpoints' / '0000000050' / 'arrays'
    assert arrays.read_text() == 'weights'
    assert not (run / 'ledger.json').exists()  # It is not over.
    assert json.loads((run / 'config.json').read_text())['past'] == 'prefix-p'
  assert folder_lib.read_state(tmp_path, 'prefix-p')['attempts'] == 1


_GETS_FURTHER = (
  'import sys, pathlib; c = pathlib.Path(sys.argv[1]) / "checkpoints";'
  'new = c / "0000000070"; again = new.exists(); new.mkdir(exist_ok=True);'
  '(new / "arrays").write_text("further"); m = c.parent / "metrics.csv";'
  'again or m.write_text("seed,step\\n1,50\\n1,70\\n");'
  'import shutil; shutil.rmtree(c / "0000000050", ignore_errors=True);'
  'sys.exit(0 if again else 1)'
)


def test_a_job_that_is_tried_again_keeps_its_own_checkpoints(tmp_path):
  """Those of its prefix would throw away what it has done since."""
  run = tmp_path / 'runs' / 'a'
  jobs = {
    'prefix-p': _prefix(_TRAINS, tmp_path / 'prefixes' / 'p'),
    'a': fakes.spec(_GETS_FURTHER, run, past='prefix-p', past_step=50),
  }
  assert do(tmp_path, jobs) == 1
  assert do(tmp_path, jobs) == 0
  assert [p.name for p in (run / 'checkpoints').iterdir()] == ['0000000070']
  assert (
    run / 'checkpoints' / '0000000070' / 'arrays'
  ).read_text() == 'further'
  assert (run / 'metrics.csv').read_text() == 'seed,step\n1,50\n1,70\n'


def test_a_prefix_that_fails_is_named(tmp_path):
  code = 'import sys; sys.exit("error: NaN")'
  jobs = {
    'prefix-p': _prefix(code),
    'a': fakes.spec('', past='prefix-p', past_step=50),
  }
  assert do(tmp_path, jobs) == 1
  state = folder_lib.read_state(tmp_path, 'a')
  assert state['error'] == 'its prefix, job prefix-p, failed: NaN'


def test_what_a_killed_worker_left_running_is_ended_first(tmp_path):
  """Else two processes would train in one folder."""
  flag, done = tmp_path / 'on', tmp_path / 'done'
  fakes.write(tmp_path, {'a': fakes.spec(_SAVES, flag)})
  first = subprocess.Popen(
    [sys.executable, '-m', 'launch.worker', f'--workdir={tmp_path}', '--job=a'],
    cwd=pathlib.Path(__file__).parents[2],
  )
  while not flag.exists():
    time.sleep(0.01)
  first.kill()
  first.wait()
  child = lease_lib.holder(tmp_path / 'jobs' / 'a').record['child']
  os.kill(child, 0)  # Still there.
  assert 'is gone' in folder_lib.read_state(tmp_path, 'a')['error']
  assert do(tmp_path, {'a': fakes.spec(fakes.DONE, done)}) == 0
  assert done.exists()
  with pytest.raises(ProcessLookupError):
    for _ in range(100):  # Until whoever inherited it has reaped it.
      os.kill(child, 0)
      assert not lease_lib.begun(child)
      time.sleep(0.05)
    raise ProcessLookupError


def test_sigterm_reaches_the_run(tmp_path):
  flag = tmp_path / 'on'
  fakes.write(tmp_path, {'a': fakes.spec(_SAVES, flag)})
  process = subprocess.Popen(
    [
      sys.executable,
      '-m',
      'launch.worker',
      f'--workdir={tmp_path}',
      '--job=a',
      '--cores=0',
    ],
    cwd=pathlib.Path(__file__).parents[2],
  )
  while not flag.exists():
    time.sleep(0.01)
  process.send_signal(signal.SIGTERM)
  assert process.wait(30) == 75
