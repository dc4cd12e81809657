"""Several processes on loopback: as one, and none waits for the dead."""

import logging
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import jax
import numpy as np
import pytest

from plasticity_rl import settings as settings_lib
from plasticity_rl.run import run_folder
from plasticity_rl.run import runner
from plasticity_rl.run.checkpoint import Checkpoints
from tests.distributed.hosts_test import free_port
from tests.run import on_hosts
from tests.run import process_test
from tests.training import small

ROOT = pathlib.Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.slow
TIMEOUT = 8  # Seconds until a silent host counts as dead.


def start(words, devices=1):
  """A process with so many devices."""
  return subprocess.Popen(
    [sys.executable, '-m', *words],
    cwd=ROOT,
    text=True,
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    env={
      **os.environ,
      'XLA_FLAGS': f'--xla_force_host_platform_device_count={devices}',
    },
  )


def finish(processes, codes):
  """What they wrote on stderr; they have to end with these codes."""
  try:
    told = [process.communicate(timeout=500)[1] for process in processes]
  finally:
    for process in processes:
      process.kill()
  assert [process.returncode for process in processes] == codes, told
  return told


def together(folder, count, cases):
  """Cases in so many processes of a device each."""
  where = f'127.0.0.1:{free_port()}'
  finish(
    [
      start(
        ['tests.run.on_hosts', folder, cases, where, str(count), str(index)]
      )
      for index in range(count)
    ],
    [0] * count,
  )


def alone(folder, devices, cases):
  finish([start(['tests.run.on_hosts', folder, cases], devices)], [0])


@pytest.fixture(name='two', scope='module')
def fixture_two(tmp_path_factory):
  """Folders of the runs of two processes, and of one with two devices."""
  folder = tmp_path_factory.mktemp('two')
  together(folder / 'many', 2, 'dqn_data,sac_seeds,sac_data,sac_updates')
  alone(folder / 'one', 2, 'dqn_data,sac_seeds,sac_updates')
  return folder


def whole(folder):
  """Everything that a run's last checkpoint holds, and its events."""
  settings = settings_lib.resolve(run_folder.read_config(folder))
  experiment = small.build(settings)
  state = small.saved(experiment, folder, settings.num_steps)
  events = (folder / 'events.jsonl').read_text()
  return state, events


def assert_same_runs(many, one):
  assert small.metrics(many) == small.metrics(one)
  (state, events), (expected, expected_events) = whole(many), whole(one)
  assert events == expected_events
  if not hasattr(state.replay, 'by_seed'):
    small.assert_equal(state, expected)
    return
  small.assert_equal(state._replace(replay=()), expected._replace(replay=()))
  for a, b in zip(state.replay.by_seed, expected.replay.by_seed, strict=True):
    assert a.num_stored == b.num_stored > 0
    small.assert_equal(
      *(ring.sample(np.random.default_rng(0), 256) for ring in (a, b))
    )


def assert_close(a, b, limit):
  """Relative in norm."""
  a, b = (
    np.concatenate([np.ravel(x) for x in jax.tree.leaves(tree)])
    for tree in (a, b)
  )
  assert np.linalg.norm(a - b) < limit * np.linalg.norm(b)


@pytest.mark.parametrize('case', ('dqn_data', 'sac_seeds'))
def test_two_processes_do_what_two_devices_of_one_do(two, case):
  """To the bit, an injection included."""
  assert_same_runs(two / 'many' / case, two / 'one' / case)
  told = (two / 'many' / case / 'events.jsonl').read_text()
  assert ('injection' in told) == (case == 'dqn_data')


def test_sac_learns_from_shared_batches_what_one_process_does(two):
  """To the bit, on all hosts; runs have replays of their own on each."""
  files = [
    two / 'many' / 'updates_0.npz',
    two / 'many' / 'updates_1.npz',
    two / 'one' / 'updates_0.npz',
  ]
  first, second, alone_ = (list(np.load(path).values()) for path in files)
  assert len(first) > 20
  small.assert_equal(first, alone_)
  small.assert_equal(second, alone_)


def test_hosts_that_share_batches_have_replays_of_their_own(two):
  """Two environments: each host has stepped one, and kept what it saw."""
  folder = two / 'many' / 'sac_data'
  rows = small.metrics(folder)
  assert [row['step'] for row in rows] == ['20', '40', '60', '80']
  # Of eight steps each, and begun anew at the checkpoint of step 40, the 20th
  # of each environment: those of both are counted.
  assert sum(float(row['train/episodes']) for row in rows) == 2 * 2 * (20 // 8)
  assert int(rows[-1]['updates']) > 10
  data = folder / 'checkpoints' / f'{80:010d}' / 'data'
  assert sorted(path.name for path in data.iterdir()) == [
    'replay_0_0_of_2',
    'replay_0_1_of_2',
  ]
  rewards = [np.load(path / 'r_t.npy') for path in sorted(data.iterdir())]
  assert rewards[0].shape == rewards[1].shape
  assert (rewards[0] != rewards[1]).any()


def moved(two, tmp_path, case, caplog):
  """Goes on in this process from what two processes saved at step 40."""
  folder = tmp_path / 'run'
  shutil.copytree(two / 'many' / case, folder)
  (folder / 'ledger.json').unlink()
  shutil.rmtree(folder / 'checkpoints' / f'{80:010d}')
  experiment = small.build(on_hosts.CASES[case](2))
  with caplog.at_level(logging.WARNING):
    runner.run(experiment, folder)
  (told,) = (
    r.getMessage() for r in caplog.records if 'continues on' in r.message
  )
  assert Checkpoints(folder).newest() == 80
  return folder, told


def test_one_device_goes_on_from_two_hosts_and_says_so(two, tmp_path, caplog):
  folder, told = moved(two, tmp_path, 'sac_seeds', caplog)
  assert told == (
    'the checkpoint of step 40 was saved on 2 devices (seeds) on 2 hosts and '
    'continues on 1 device: seeds, environments and replay are divided anew'
  )
  (state, _), (expected, _) = whole(folder), whole(two / 'one' / 'sac_seeds')
  small.assert_equal(state.counters, expected.counters)
  # The same environments and updates, by another program.
  assert_close(state.nets, expected.nets, 1e-5)


def test_a_replay_that_cannot_be_shared_out_is_filled_again(
  two, tmp_path, caplog
):
  folder, told = moved(two, tmp_path, 'sac_data', caplog)
  assert told.endswith('updates wait until it is filled')
  before, after = (
    [int(row['updates']) for row in small.metrics(path)]
    for path in (two / 'many' / 'sac_data', folder)
  )
  assert before[1] == after[1] < after[-1] < before[-1]


def test_three_processes_do_what_three_devices_of_one_do(tmp_path):
  """But for the last bits: Gloo adds three gradients in another order."""
  many, one = tmp_path / 'many', tmp_path / 'one'
  together(many, 3, 'dqn_short')
  alone(one, 3, 'dqn_short')
  (state, _), (expected, _) = (whole(x / 'dqn_short') for x in (many, one))
  small.assert_equal(state.counters, expected.counters)
  assert int(state.counters.updates) > 10
  small.assert_equal(state.replay.a_tm1, expected.replay.a_tm1)
  assert_close(state.nets, expected.nets, 1e-5)


# --- Signals, by the command itself ---


def train(folder, hosts=2):
  """The same command in so many processes."""
  words = [
    'plasticity_rl.train',
    '--config=configs/random_labels.py:tiny',
    f'--workdir={folder}',
    f'--host_timeout={TIMEOUT}',
    *(
      f'--config.{k}={v}'
      for k, v in {
        **process_test.OVERRIDES,
        'parallel': 'data',
        'diagnostics.every_steps': 10 * process_test.END,
      }.items()
    ),
  ]
  where = f'127.0.0.1:{free_port()}'
  return (
    [
      start(
        [
          *words,
          f'--coordinator={where}',
          f'--num_processes={hosts}',
          f'--process_id={index}',
        ]
      )
      for index in range(hosts)
    ]
    if hosts > 1
    else [start(words, devices=2)]
  )


def saved_past(folder, step):
  return lambda: max(Checkpoints(folder).steps(), default=0) > step


def test_stopped_killed_and_continued(tmp_path):
  folder = tmp_path / 'run'
  # One host is asked to stop, after the injection: all save, once.
  processes = train(folder)
  process_test.wait_until(saved_past(folder, 100), processes[0])
  processes[1].terminate()
  first, second = finish(processes, [75, 75])
  assert 'asked to stop' in second and 'asked to stop' not in first
  lines = [told.splitlines()[-1] for told in (first, second)]
  assert lines[0] == lines[1]
  assert lines[0].startswith('error: stopped at step ')
  stopped = Checkpoints(folder).newest()
  assert f'stopped at step {stopped} of' in lines[0]
  # One is killed: the other one does not wait for it for ever.
  processes = train(folder)
  process_test.wait_until(saved_past(folder, stopped + 50), processes[0])
  processes[1].kill()
  begun = time.monotonic()
  told, _ = finish(processes, [75, -signal.SIGKILL])
  assert time.monotonic() - begun < 10 * TIMEOUT  # Not for ever.
  assert told.splitlines()[-1] == (
    f'error: host 1 of 2 has not been heard of for {TIMEOUT} s: stopped; the '
    'same command on all hosts goes on from the last checkpoint'
  )
  # The first one is killed, and with it what the others meet at.
  processes = train(folder)
  process_test.wait_until(
    saved_past(folder, Checkpoints(folder).newest()), processes[1]
  )
  processes[0].kill()
  _, told = finish(processes, [-signal.SIGKILL, 75])
  last = told.splitlines()[-1]
  assert last.startswith('error: the first process is gone')
  assert last.endswith('goes on from the last checkpoint')
  assert Checkpoints(folder).newest() < process_test.END
  # As on two hosts, so on two devices of one.
  (told,) = finish(train(folder, hosts=1), [0])
  assert 'was saved on 2 devices (data) on 2 hosts and continues on 2 ' in told
  undisturbed = tmp_path / 'undisturbed'
  finish(train(undisturbed, hosts=1), [0])
  assert_same_runs(folder, undisturbed)


def test_hosts_with_different_configs_train_nothing(tmp_path):
  where = f'127.0.0.1:{free_port()}'
  processes = [
    start(
      [
        'plasticity_rl.train',
        '--config=configs/random_labels.py:tiny',
        f'--workdir={tmp_path / "run"}',
        f'--config.seed={index}',
        f'--coordinator={where}',
        '--num_processes=2',
        f'--process_id={index}',
      ]
    )
    for index in range(2)
  ]
  assert finish(processes, [2, 2]) == 2 * [
    'error: hosts disagree on the config; they differ in seed (host 0: 0, '
    'host 1: 1): start all with the same command\n'
  ]
  assert not (tmp_path / 'run').exists()
