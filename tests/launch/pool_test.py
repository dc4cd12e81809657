import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from launch import folder as folder_lib
from launch import lease as lease_lib
from launch import memory
from launch import pool as pools
from launch import slots
from plasticity_rl import settings as settings_lib
from plasticity_rl.errors import UserError
from tests.launch import fakes

SLOTS = [slots.Slot((0,), {}), slots.Slot((0,), {})]
ROOT = pathlib.Path(__file__).parents[2]


def test_all_is_done_prefixes_first_and_failures_do_not_stop_it(
  tmp_path, capsys
):
  order = tmp_path / 'order'
  say = 'import sys; open(sys.argv[1], "a").write(sys.argv[2] + " ")'
  trains = say + (
    '; import pathlib; c = pathlib.Path(sys.argv[3]) / "checkpoints" / '
    '"0000000050"; c.mkdir(parents=True)'
  )
  jobs = {
    'prefix-p': fakes.spec(
      trains,
      order,
      'p',
      tmp_path / 'prefixes' / 'p',
      kind='prefix',
      folder='prefixes/p',
    ),
    'a': fakes.spec(say, order, 'a', past='prefix-p', past_step=50),
    'b': fakes.spec('import sys; sys.exit("error: no luck")'),
    'c': fakes.spec(say, order, 'c'),
  }
  pool = pools.Pool([fakes.launch(tmp_path, jobs)], 2 * SLOTS)
  pool._begin()
  assert set(pool._running) == {'prefix-p', 'b', 'c'}  # There was room for a.
  over = pool.run()
  assert over == {'prefix-p': 'done', 'a': 'done', 'b': 'failed', 'c': 'done'}
  words = order.read_text().split()
  assert words.index('p') < words.index('a') and sorted(words) == [*'acp']
  out = capsys.readouterr().out
  assert 'failed: b: no luck (log: ' in out and '[4/4]' in out


def test_another_launchers_run_is_waited_for(tmp_path):
  count = tmp_path / 'count'
  launch = fakes.launch(tmp_path, {'a': fakes.spec(fakes.DONE, count)})
  lease = lease_lib.acquire(folder_lib.job_folder(tmp_path, 'a'))
  pool = pools.Pool([launch], SLOTS)
  pool._begin()
  assert not pool._running  # It is not begun while somebody has it.
  count.write_text('x')
  folder_lib.write_state(tmp_path, 'a', state='done')
  lease.release()
  assert pool.run() == {'a': 'done'}
  assert count.read_text() == 'x'


def test_the_parts_of_a_talk_share_the_slots(tmp_path, capsys):
  """Jobs of one name in two folders are two jobs, each with its own prefix."""
  order = tmp_path / 'order'
  say = 'import sys; open(sys.argv[1], "a").write(sys.argv[2] + " ")'
  launches = []
  for part in ('one', 'two'):
    folder = tmp_path / part
    folder.mkdir()
    trains = say + (
      '; import pathlib; c = pathlib.Path(sys.argv[3]) / "checkpoints" / '
      '"0000000050"; c.mkdir(parents=True)'
    )
    jobs = {
      'prefix-p': fakes.spec(
        trains,
        order,
        f'{part}-p',
        folder / 'prefixes' / 'p',
        kind='prefix',
        folder='prefixes/p',
      ),
      'a': fakes.spec(say, order, f'{part}-a', past='prefix-p', past_step=50),
    }
    launches.append(fakes.launch(folder, jobs, part))
  pool = pools.Pool(launches, SLOTS)
  pool._begin()
  assert {*pool._running} == {'one/prefix-p', 'two/prefix-p'}
  over = pool.run()
  assert over == {
    f'{part}/{job}': 'done'
    for part in ('one', 'two')
    for job in ('prefix-p', 'a')
  }
  words = order.read_text().split()
  for part in ('one', 'two'):
    assert words.index(f'{part}-p') < words.index(f'{part}-a')
  assert '[4/4] done: ' in capsys.readouterr().out


def test_two_launchers_do_nothing_twice(tmp_path):
  jobs = {
    f'job{i}': fakes.spec(fakes.DONE, tmp_path / f'count{i}') for i in range(6)
  }
  fakes.write(tmp_path, jobs)
  code = (
    'import sys, pathlib; sys.path.insert(0, ".");'
    'from launch import pool as pools, slots; from tests.launch import fakes;'
    'import types; from launch import folder;'
    'path = pathlib.Path(sys.argv[1]); names = sys.argv[2:];'
    'jobs = {n: folder.read_spec(path, n) for n in names};'
    'l = types.SimpleNamespace(folder=path, jobs=jobs, todo=tuple(names),'
    ' label=str);'
    'over = pools.Pool([l], [slots.Slot((0,), {})]).run();'
    'assert set(over.values()) == {"done"} and len(over) == 6, over'
  )
  both = [
    subprocess.Popen([sys.executable, '-c', code, tmp_path, *jobs], cwd=ROOT)
    for _ in range(2)
  ]
  assert [process.wait(120) for process in both] == [0, 0]
  for i in range(6):
    assert (tmp_path / f'count{i}').read_text() == 'x'


def test_ctrl_c_saves_and_the_same_command_goes_on(tmp_path):
  flag = tmp_path / 'on'
  code = (
    'import signal, sys, time, pathlib; p = pathlib.Path(sys.argv[1]);'
    'saved = p.exists();'
    'signal.signal(signal.SIGTERM, lambda *_: sys.exit(75)); p.touch();'
    'saved or time.sleep(60)'
  )
  launch = fakes.launch(
    tmp_path, {'a': fakes.spec(code, flag), 'b': fakes.spec('')}
  )
  pool = pools.Pool([launch], SLOTS[:1])
  before = signal.signal(signal.SIGALRM, pool.stop)
  try:
    pool._begin()
    while not flag.exists():
      time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGALRM)
    over = pool.run()
  finally:
    signal.signal(signal.SIGALRM, before)
  assert over == {'a': 'waiting'}  # And b was not begun.
  assert pools.Pool([launch], SLOTS).run() == {'a': 'done', 'b': 'done'}


def test_slots_share_the_cores(monkeypatch):
  monkeypatch.setattr(os, 'sched_getaffinity', lambda _: {0, 1, 2, 3, 4})
  monkeypatch.setattr(slots, 'gpus', lambda: [])
  assert len(slots.make()) == 5
  two = slots.make(2)
  assert [s.cores for s in two] == [(0, 2, 4), (1, 3)]
  with pytest.raises(UserError, match='is 6, but this machine has 5 cores'):
    slots.make(6)
  monkeypatch.setattr(slots, 'gpus', lambda: ['0', '1'])
  assert [s.environment for s in slots.make()] == [
    {'CUDA_VISIBLE_DEVICES': '0'},
    {'CUDA_VISIBLE_DEVICES': '1'},
  ]
  with pytest.raises(UserError, match='has 2 GPUs'):
    slots.make(3)
  monkeypatch.setattr(slots, 'gpus', lambda: [])
  monkeypatch.setattr(slots, 'has_tpu', lambda: True)
  assert slots.make() == [slots.Slot((0, 1, 2, 3, 4), {})]
  with pytest.raises(UserError, match='has a TPU'):
    slots.make(2)


def test_gpus_that_may_be_seen(monkeypatch):
  monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '2,5')
  assert slots.gpus() == ['2', '5']
  monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '')
  assert slots.gpus() == []


def _catch(capacity):
  config = settings_lib.default_config('dqn', 'catch')
  config.replay.capacity = capacity
  config.num_seeds = 2
  return settings_lib.to_dict(settings_lib.resolve(config))


def test_memory_of_a_replay_on_the_host():
  config = settings_lib.default_config('sac', 'dmc_cartpole_swingup')
  config.num_seeds = 2

  def of_run(capacity):
    config.replay.capacity = capacity
    return memory.of_run(settings_lib.resolve(config)) - memory.BASE_BYTES

  # Five numbers before and after of every seed, an action and the rest.
  each = (of_run(2_000_000) - of_run(1_000_000)) / 2 / 1_000_000
  assert 5 * 4 < each < 2 * 5 * 4 + 60


def test_memory_with_a_dict_among_the_arguments_of_an_environment():
  config = settings_lib.default_config(
    'dqn', 'tests.environments.scripted:taking'
  )
  config.environment.arguments = ({1: 2}, [3])
  assert memory.of_run(settings_lib.resolve(config)) > memory.BASE_BYTES


def test_memory_is_checked_before_anything_starts(tmp_path, monkeypatch):
  jobs = {
    name: fakes.spec('', config=_catch(capacity))
    for name, capacity in (('small', 1000), ('large', 2_000_000))
  }
  launch = fakes.launch(tmp_path, jobs)
  small, large = (
    memory.of_run(settings_lib.resolve(jobs[name]['config']))
    for name in ('small', 'large')
  )
  # Two copies for two seeds: 50 squares as bits, for each step and the end of
  # each episode of nine; whether it is the end; action, reward and discount in
  # four bytes each.
  one = 7 * (1 + 1 / 9) + 1 + 3 * 4
  assert large - small == pytest.approx(2 * 2 * (2_000_000 - 1000) * one, 1e-3)
  assert 0 < small - memory.BASE_BYTES < 2**21
  monkeypatch.setattr(memory, 'available', lambda: large)
  with pytest.raises(UserError, match=r'large: 0\.9.*take --max_parallel=1'):
    pools.check_memory([launch], 2)
  pools.check_memory([launch], 1)
  monkeypatch.setattr(memory, 'available', lambda: large // 2)
  with pytest.raises(UserError, match='a smaller replay.capacity'):
    pools.check_memory([launch], 1)
  assert memory.available() is not None
