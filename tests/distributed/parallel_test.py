"""Many devices do what one does, and send what learns and nothing else."""

import json
import pathlib
import subprocess
import sys

import jax
import pytest

from plasticity_rl import settings as settings_lib
from plasticity_rl.distributed import parallel
from plasticity_rl.errors import UserError

ROOT = pathlib.Path(__file__).resolve().parents[2]


def spread(*words):
  """What `tests.distributed.many_devices` finds, on eight forced devices."""
  process = subprocess.run(
    [sys.executable, '-m', 'tests.distributed.many_devices', *words],
    cwd=ROOT,
    capture_output=True,
    text=True,
    timeout=600,
  )
  assert process.returncode == 0, process.stderr[-3000:]
  return json.loads(process.stdout.splitlines()[-1])


@pytest.fixture(name='double', scope='module')
def fixture_double():
  return spread('double', 'dqn', 'sac', 'drq')


@pytest.fixture(name='single', scope='module')
def fixture_single():
  return spread('single', 'dqn', 'sac', 'drq')


@pytest.mark.slow
def test_devices_together_do_what_one_does_with_the_whole_batch(double):
  assert len(double) == 3 * 3 + 1
  for case, found in double.items():
    assert found['distance'][0] < 1e-10, case
    assert found['metrics'] < 1e-10, case
    # It is not that nothing was learned.
    assert found['moved'] > 1e-4, case


@pytest.mark.slow
def test_devices_do_not_drift_apart(double):
  for case, found in double.items():
    assert found['between_devices'] == 0.0, case


@pytest.mark.slow
def test_what_learns_crosses_the_wire_and_nothing_else(double):
  for case, found in double.items():
    assert set(found['wire']) == {'all-reduce'}, case
    sent = found['wire']['all-reduce'] - found['learns']
    # Metrics, of which those that all devices know need not be sent.
    assert 0 <= sent <= found['scalars'], case
    if ' after' in case:
      assert found['every'] > 1.5 * found['learns'], case


@pytest.mark.slow
def test_parts_of_a_batch_are_taken_one_after_the_other(double):
  # All of these sum to the whole; here, that there are parts: a loop for the
  # updates, and one for each network that is trained in parts.
  nets = {'dqn': 1, 'sac': 2, 'drq': 2}
  for name, count in nets.items():
    whole = double[f'{name} 8 after']['loops']
    parts = double[f'{name} 2 after in parts']['loops']
    assert parts - whole >= count, name


@pytest.mark.slow
def test_single_precision_agrees_in_norm(single):
  assert len(single['cases']) == 3
  for case, one in single['cases'].items():
    assert one['distance'][1] < 1e-5, case


@pytest.mark.slow
def test_seeds_on_devices_are_runs_by_themselves(single):
  found = single['seeds']
  # To the bit whatever device a seed is on and whatever is beside it; not to
  # the bit against `jit` alone, which XLA fuses in another way.
  assert found['same_on_another_device']
  assert all(relative < 1e-6 for _, relative in found['distance'])
  assert found['wire'] == {'4': {}, '2': {}}


@pytest.mark.slow
def test_what_a_step_asks_of_its_host_does_not_grow_with_the_devices():
  for mode, (two, eight) in spread('counts').items():
    assert two == eight, mode
    assert two['compiled_first'] == two['compiled_at_injection'] == 1, mode
    assert two['compiled_later'] == 0, mode
    assert 0 < two['python_calls'] < 300, mode


def settings(**changes):
  config = settings_lib.default_config()
  config.update_from_flattened_dict(changes)
  return settings_lib.resolve(config)


@pytest.fixture(name='eight')
def fixture_eight(monkeypatch):
  """Eight devices, to choose among and not to compute on."""
  devices = [jax.devices()[0]] * 8
  monkeypatch.setattr(jax, 'devices', lambda: devices)


@pytest.mark.parametrize(
  'changes, mode',
  (
    ({'num_seeds': 16}, 'seeds'),
    ({'num_seeds': 4}, 'data'),
    ({'num_seeds': 4, 'devices': 4}, 'seeds'),
    ({'num_seeds': 8, 'parallel': 'data'}, 'data'),
    ({'num_seeds': 8, 'parallel': 'none'}, 'none'),
    ({'devices': 1, 'parallel': 'seeds'}, 'none'),
  ),
)
def test_choice(eight, changes, mode):
  layout = parallel.choose(settings(**changes))
  assert layout.mode == mode
  assert len(layout.devices) == (
    1 if mode == 'none' else changes.get('devices', 8)
  )


@pytest.mark.parametrize(
  'changes, message',
  (
    ({'devices': 9}, 'config.devices is 9, but there are 8'),
    (
      {'parallel': 'data', 'replay.batch_size': 12},
      r'batch_size \(12\) is not a multiple of the 8 devices: take 8 or 16, or '
      'config.devices=6',
    ),
    (
      {
        'parallel': 'data',
        'replay.batch_size': 32,
        'optimizer.microbatches': 16,
      },
      r'batch_size \(32\) is not a multiple of the 8 devices times '
      r'optimizer.microbatches \(16\): take 128, or config.devices=2',
    ),
    (
      {'parallel': 'seeds', 'num_seeds': 3},
      r'num_seeds \(3\) is not a multiple of the 8 devices: take 8, or '
      'config.devices=3',
    ),
    (
      {'replay.batch_size': 12, 'num_seeds': 3},
      'neither seeds nor batches.*num_seeds.*batch_size.*config.devices=1',
    ),
  ),
)
def test_what_does_not_divide_is_refused(eight, changes, message):
  with pytest.raises(UserError, match=message):
    parallel.choose(settings(**changes))


def test_an_unknown_way_is_refused():
  with pytest.raises(UserError, match="unknown config.parallel 'dat'"):
    settings(parallel='dat')


def test_one_device_is_no_way_at_all():
  assert parallel.choose(settings()).mode == 'none'
