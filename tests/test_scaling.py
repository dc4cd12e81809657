"""The arithmetic of docs/scaling.md, by hand; and that the page is of it."""

import dataclasses
import json

import jax
import numpy as np
import pytest

from benchmarks import measured_page
from benchmarks import scaling
from benchmarks import scaling_arithmetic as arithmetic
from benchmarks import scaling_costs
from benchmarks import scaling_page
from plasticity_rl import settings as settings_lib
from plasticity_rl.environments.spaces import Discrete
from plasticity_rl.environments.spaces import Spaces
from plasticity_rl.training import agent_builder

CHIP = arithmetic.Chip('a chip', 1e12, 1e9, 1e11, 1e10, 'a data sheet')
SLICE = arithmetic.Slice('four', CHIP, chips=4, hosts=2, cpus=6, memory=1e9)
WORK = arithmetic.Work(
  name='an agent',
  batch=8,
  update_flops=(2e6, 1e6),
  update_bytes=(1e6, 2e5),
  least_bytes=(0.0, 0.0),
  act_flops=1e6,
  act_bytes=2e5,
  wire=1e5,
  collectives=2,
  updates_per_step=0.5,
  steps=1_000_000,
  replay=1e6,
  steps_per_cpu=1000.0,
)


def test_line_through_two_points():
  assert arithmetic.line((4, 10.0), (8, 18.0)) == (2.0, 2.0)
  assert arithmetic.at((2.0, 2.0), 8) == 18.0


def test_update_is_bound_by_what_is_slower():
  # 10 MFLOP at 1 TFLOP/s; 2.6 MB at 100 GB/s.
  assert arithmetic.update_seconds(WORK, CHIP) == pytest.approx(26e-6)
  slow = dataclasses.replace(CHIP, flops=1e11)
  assert arithmetic.update_seconds(WORK, slow) == pytest.approx(100e-6)


def test_shared_update_keeps_its_fixed_part_and_pays_for_the_wire():
  # Two examples each: 1.4 MB. 0.15 MB are sent at 10 GB/s, in two collectives.
  assert arithmetic.wire_seconds(WORK, CHIP, 4) == pytest.approx(
    15e-6 + 2 * arithmetic.COLLECTIVE_SECONDS
  )
  assert arithmetic.update_seconds(WORK, CHIP, 4) == pytest.approx(
    14e-6 + 15e-6 + 2 * arithmetic.COLLECTIVE_SECONDS
  )
  assert arithmetic.wire_seconds(WORK, CHIP, 1) == 0


def test_step_is_a_decision_and_its_updates():
  assert arithmetic.step_seconds(WORK, CHIP) == pytest.approx(
    2e-6 + 0.5 * 26e-6
  )


@pytest.mark.parametrize(
  'batch, chips, devices',
  (
    (32, 64, 32),
    (32, 12, 8),
    (256, 128, 128),
    (7, 6, 1),
    (1, 8, 1),
  ),
)
def test_devices_divide_the_batch(batch, chips, devices):
  assert arithmetic.most_devices(batch, chips) == devices


def test_rates_of_a_program():
  """Two seeds of two environments on a chip, which has three processors."""
  found = arithmetic.rates(WORK, SLICE, seeds=2, envs=2)
  assert found.chip == pytest.approx(1 / 15e-6)
  assert found.cpus == pytest.approx(3000)
  # Four environments take two turns of a millisecond; two calls.
  row = 2e-3 + 2 * arithmetic.CALL_SECONDS + 4 * 15e-6
  assert found.calls == pytest.approx(4 / row)
  assert found.limit == 'calls'
  assert found.lowest == found.calls
  # One environment learns every other row.
  row = 1e-3 + 1.5 * arithmetic.CALL_SECONDS + 15e-6
  one = arithmetic.rates(WORK, SLICE, seeds=1, envs=1)
  assert one.calls == pytest.approx(1 / row)


def test_cost_of_a_study():
  cost = arithmetic.study(WORK, SLICE, programs=10, seeds=2, envs=2)
  rate = 4 / (2e-3 + 2e-4 + 6e-5)
  hours = 2e6 / rate / 3600
  assert cost.hours == pytest.approx(hours)
  assert cost.chip_hours == pytest.approx(10 * hours)
  assert cost.wall_hours == pytest.approx(3 * hours)  # Four at a time.
  assert cost.utilisation == pytest.approx(rate * 6e6 / 1e12)
  shared = arithmetic.study(
    WORK, SLICE, programs=10, seeds=2, envs=2, devices=4
  )
  assert shared.chip_hours == pytest.approx(40 * shared.hours)
  assert shared.wall_hours == pytest.approx(10 * shared.hours)


# --- What XLA says ---


def test_flops_of_a_small_network():
  """5 -> 8 -> 3, Double DQN: what an example adds to an update."""
  config = settings_lib.default_config('dqn', 'catch')
  config.network.hidden = (8,)
  config.network.split = 1
  spaces = Spaces((5,), np.float32, Discrete(3))
  agent = agent_builder.make(settings_lib.resolve(config), spaces)
  nets = jax.eval_shape(agent.init, scaling_costs.KEY)
  few, many = (
    scaling_costs.flops_of(
      scaling_costs.lower_update(
        agent, nets, scaling_costs.batch_of(spaces, batch)
      )
    )
    for batch in (4, 8)
  )
  _, slope = arithmetic.line((4, few), (8, many))
  forward = 2 * (5 * 8 + 8 * 3)
  # Online on both observations, target; gradients by weights, and by what the
  # second layer is fed.
  products = 3 * forward + forward + 2 * 8 * 3
  assert products <= slope <= 1.25 * products  # Biases, ReLU, the loss.


@pytest.fixture(name='record', scope='module')
def fixture_record():
  return json.loads(scaling.RECORD.read_text())


def test_recorded_costs_are_those_of_the_nature_network(record):
  (cost,) = (c for c in record['costs'] if c['name'] == scaling_page.STUDIED)
  layers = (
    # Positions, inputs of each, outputs.
    (20 * 20, 8 * 8 * 4, 32),
    (9 * 9, 4 * 4 * 32, 64),
    (7 * 7, 3 * 3 * 64, 64),
    (1, 7 * 7 * 64, 512),
    (1, 512, 18),
  )
  products = [2 * n * inputs * outputs for n, inputs, outputs in layers]
  parameters = sum((inputs + 1) * outputs for _, inputs, outputs in layers)
  assert cost['act']['flops'] == pytest.approx(sum(products), rel=0.01)
  # No gradient by the picture.
  update = 32 * (5 * sum(products) - products[0])
  assert cost['update']['flops'] == pytest.approx(update, rel=0.02)
  # Gradients, and two metrics.
  assert cost['wire'] == {'all-reduce': 4 * (parameters + 2)}
  # Networks, targets, what they began as, and two moments.
  assert cost['state_bytes'] == pytest.approx(5 * 4 * parameters, rel=1e-4)


def test_nothing_recorded_grows_with_the_devices(record):
  for mode in ('data', 'seeds'):
    rows = [r for r in record['weak'] if r['mode'] == mode and r['devices'] > 1]
    assert [r['devices'] for r in rows] == list(scaling.COUNTS[1:])
    for what in (
      'collectives',
      'bytes',
      'python_calls',
      'compiled_first',
      'compiled_later',
      'compiled_at_injection',
    ):
      assert len({row[what] for row in rows}) == 1, what
    assert rows[0]['collectives'] == (mode == 'data')
    assert rows[0]['compiled_first'] == rows[0]['compiled_at_injection'] == 1


def test_nothing_recorded_grows_with_the_hosts(record):
  assert [row['devices'] for row in record['hosts']] == list(scaling.HOSTS)
  for what in ('collectives', 'bytes', 'python_calls'):
    assert len({row[what] for row in record['hosts']}) == 1, what


@pytest.mark.parametrize(
  'loop, mode', (('device', 'data'), ('device', 'seeds'), ('host', 'data'))
)
def test_loops_call_as_much_python_on_any_number_of_devices(record, loop, mode):
  found = {
    row['python_calls']
    for row in record['loops']
    if (row['loop'], row['mode']) == (loop, mode) and row['devices'] > 1
  }
  assert max(found) - min(found) <= 0.01 * min(found)


def test_pages_are_of_the_record(record):
  assert scaling.PAGE.read_text() == scaling_page.page(record['costs']), (
    'run: python -m benchmarks.scaling'
  )
  assert scaling.MEASURED.read_text() == measured_page.page(record)
