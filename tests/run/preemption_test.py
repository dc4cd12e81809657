"""Signals: the first one asks, and a request is not lost between runs."""

import csv
import os
import pty
import signal
import subprocess
import sys
import termios
import threading

import pytest

from plasticity_rl.run.preemption import PreemptionHandler


@pytest.fixture(autouse=True)
def fixture_not_under_nohup():
  """nohup has SIGHUP ignored, in processes that tests start as well."""
  before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
  yield
  signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize(
  'number', (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
)
def test_first_signal_asks(number, capfd):
  before = signal.getsignal(number)
  with PreemptionHandler() as interrupts:
    assert not interrupts.requested
    signal.raise_signal(number)
    assert interrupts.requested
  assert signal.getsignal(number) is before
  assert 'asked to stop' in capfd.readouterr().err


def test_second_interrupt_kills():
  with pytest.raises(KeyboardInterrupt), PreemptionHandler():
    signal.raise_signal(signal.SIGINT)
    signal.raise_signal(signal.SIGINT)


def test_second_termination_is_patient():
  """Schedulers repeat SIGTERM; the save that goes on must not be cut."""
  with PreemptionHandler() as interrupts:
    signal.raise_signal(signal.SIGTERM)
    signal.raise_signal(signal.SIGTERM)
  assert interrupts.requested


def test_request_to_a_run_reaches_what_holds_it():
  with PreemptionHandler() as outer:
    with PreemptionHandler():
      pass
    assert not outer.requested
    with PreemptionHandler():
      signal.raise_signal(signal.SIGTERM)
    assert outer.requested


def test_an_ignored_hangup_stays_ignored():
  """`nohup` ignores it, so that a run outlives its terminal."""
  before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
  try:
    with PreemptionHandler() as interrupts:
      signal.raise_signal(signal.SIGHUP)
    assert not interrupts.requested
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
  finally:
    signal.signal(signal.SIGHUP, before)


def test_in_a_thread_there_are_no_signals():
  seen = []

  def run():
    with PreemptionHandler() as interrupts:
      seen.append(interrupts.requested)

  thread = threading.Thread(target=run)
  thread.start()
  thread.join()
  assert seen == [False]


# The terminal is that of the new session, whose end is a SIGHUP.
_TRAIN = """
import fcntl
import sys
import termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
import plasticity_rl as pl
config = pl.default_config('supervised', 'random_labels')
config.num_steps, config.segment_steps = 4_000_000, 500
config.evaluation.every_steps = 4_000_000
config.diagnostics.every_steps = 4_000_000
config.checkpoint.every_steps = 4_000_000
config.network.hidden, config.network.split = (8,), 1
config.environment.examples = 20
try:
  pl.train(config, sys.argv[1])
except Exception as error:
  with open(sys.argv[2], 'w') as file:
    file.write(f'{type(error).__name__}: {error}')
"""


@pytest.mark.slow
def test_a_closed_terminal_loses_no_steps(tmp_path):
  """Nor can the progress bar be written any more."""
  ours, theirs = pty.openpty()
  termios.tcsetwinsize(theirs, (24, 80))
  child = subprocess.Popen(
    [sys.executable, '-c', _TRAIN, tmp_path / 'run', tmp_path / 'end'],
    stdin=theirs,
    stdout=theirs,
    stderr=theirs,
    start_new_session=True,
  )
  os.close(theirs)
  try:
    seen = b''
    while seen.count(b'steps/s') < 3:  # It trains, and shows so.
      seen += os.read(ours, 1000)
    os.close(ours)
    child.wait(timeout=120)
  finally:
    child.kill()
    child.wait()
  end = (tmp_path / 'end').read_text()
  assert end.startswith('Interrupted: stopped at step')
  step = int(end.split()[4])
  with (tmp_path / 'run' / 'metrics.csv').open(newline='') as file:
    assert [int(row['step']) for row in csv.DictReader(file)][-1] == step
  assert (tmp_path / 'run' / 'checkpoints' / f'{step:010d}').is_dir()
