"""What hosts know of one another: metrics, seeds and shapes of all."""

import jax
import numpy as np
import pytest

from plasticity_rl.distributed import hosts
from plasticity_rl.training import host_partition
from plasticity_rl.training import trainer as trainer_lib
from plasticity_rl.types import TrainState


class Two:
  """A layout on two hosts, as the second one sees it."""

  num_hosts, host = 2, 1

  def __init__(self, mode):
    self.hosts_have_seeds = mode == 'seeds'


class Group:
  """The other host has metrics of its own."""

  index, count = 1, 2

  def __init__(self, theirs):
    self._theirs = theirs

  def all_gather_object(self, name, value):
    assert name == 'metrics'
    return [self._theirs, value]


SEEDS = host_partition.HostPartition(Two('seeds'), trainer_lib.AXES)
DATA = host_partition.HostPartition(
  Two('data'), TrainState(None, 2, 1, None, None, None)
)
STATE = TrainState(
  nets=np.arange(12).reshape(4, 3),
  replay=np.zeros((4, 6, 2)),
  env={'x': np.arange(4)},
  keys=np.zeros((4, 2)),
  counters=np.array(7),
  interventions={},
)


def test_metrics_of_seeds_are_joined_in_the_order_of_hosts(monkeypatch):
  monkeypatch.setattr(
    hosts, '_group', Group({'a': [1.0, float('nan')], 'b': [3, 4]})
  )
  found = SEEDS.metrics({'a': np.array([5.0, 6.0]), 'b': np.array([7, 8])})
  np.testing.assert_array_equal(found['a'], [1.0, np.nan, 5.0, 6.0])
  np.testing.assert_array_equal(found['b'], [3, 4, 7, 8])
  # Whoever is to change knows its own of a mask of all seeds.
  np.testing.assert_array_equal(
    SEEDS.local_seeds(np.array([True, False, False, True])), [False, True]
  )


def test_hosts_that_share_batches_go_by_the_first(monkeypatch):
  monkeypatch.setattr(hosts, '_group', Group({'a': [1.0]}))
  # That of this host differs in the last bit.
  found = DATA.metrics({'a': np.array([np.nextafter(1.0, 2.0)])})
  np.testing.assert_array_equal(found['a'], [1.0])
  mask = np.array([True, False])
  np.testing.assert_array_equal(DATA.local_seeds(mask), mask)


def test_a_host_has_its_seeds_of_a_state():
  own = SEEDS.local_state(STATE)
  np.testing.assert_array_equal(own.nets, [[6, 7, 8], [9, 10, 11]])
  np.testing.assert_array_equal(own.env['x'], [2, 3])
  assert own.counters == 7
  assert DATA.local_state(STATE) is STATE
  shapes = SEEDS.global_shapes(jax.eval_shape(lambda: own))
  assert jax.tree.map(lambda x: x.shape, shapes) == (
    jax.tree.map(np.shape, STATE)
  )


@pytest.mark.parametrize(
  'which, expected',
  (
    (SEEDS, (0, 0, 0, 0, -1)),
    (DATA, (-1, 2, 1, -1, -1)),
    (host_partition.HostPartition(), (-1, -1, -1, -1, -1)),
  ),
)
def test_axes_by_leaf(which, expected):
  assert tuple(jax.tree.leaves(which.leaf_axes(STATE))) == expected


def test_one_host_has_all():
  alone = host_partition.HostPartition()
  metrics = {'a': np.array([1.0])}
  assert alone.metrics(metrics) == metrics
  assert alone.local_state(STATE) is STATE
