"""Compiled training: counts with toys, equalities with a DQN."""

import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from plasticity_rl.errors import UserError
from plasticity_rl.learner import learner
from plasticity_rl.training import device_loop
from plasticity_rl.training import device_trainer
from plasticity_rl.training import experiment as experiment_lib
from plasticity_rl.training import trainer_builder
from plasticity_rl.training.data_source import DataSource
from plasticity_rl.types import Counters
from plasticity_rl.types import Keys
from plasticity_rl.types import TrainState
from tests.training import small


class Toy:
  """Counts its updates; the loss is the batch."""

  spec = types.SimpleNamespace(has_reference=False)

  @staticmethod
  def update(key, nets, batch, updates, shard, reference):
    del key, shard, reference
    return nets + 1, {'loss': batch, 'before': updates * 1.0}


class ToySource(DataSource):
  """Batches are the environment's state, which counts rows."""

  return_range = (0.0, 1.0)

  def __init__(self, min_rows=1, clear_at=None, steps_per_row=1):
    self._min_rows, self._clear_at = min_rows, clear_at
    self.steps_per_row = steps_per_row

  def on(self, shard):
    return self

  def init(self, key):
    raise NotImplementedError

  def evaluate(self, key, nets, env):
    raise NotImplementedError

  def collect(self, key, nets, env, replay, counters):
    ended = (env % 2 == 0) * 1.0
    return env + 1, replay, {'episodes': ended, 'return_sum': ended * env}

  def advance(self, counters):
    cleared = counters.cleared
    if self._clear_at is not None:
      cleared = jnp.where(
        counters.step == self._clear_at, counters.stored, cleared
      )
    return counters._replace(
      step=counters.step + self.steps_per_row,
      stored=counters.stored + 1,
      cleared=cleared,
    )

  def ready(self, counters):
    return counters.stored - counters.cleared >= self._min_rows

  def sample(self, key, env, replay, counters, batch_size=None):
    return replay[env.astype(int)]


def toy_run(source, schedule, rows, losses=None):
  """Two seeds; `losses[S, row]` of the row's updates."""
  losses = jnp.ones([2, 50]) if losses is None else jnp.array(losses)
  keys = jnp.zeros([2, 2], jnp.uint32)
  state = TrainState(
    nets=jnp.zeros([2]),
    replay=losses,
    env=jnp.zeros([2]),
    keys=Keys(keys, keys),
    counters=Counters(*(jnp.array(0, jnp.int32) for _ in range(4))),
    interventions={},
  )
  return jax.jit(lambda s: device_loop.segment(s, rows, Toy, source, schedule))(
    state
  )


@pytest.mark.parametrize(
  'schedule, updates', (((1, 1), 12), ((3, 1), 36), ((1, 4), 3), ((1, 5), 2))
)
def test_as_many_updates_as_the_ratio_says(schedule, updates):
  state, metrics = toy_run(ToySource(), learner.UpdateSchedule(*schedule), 12)
  assert state.nets.tolist() == [updates, updates]
  assert int(state.counters.updates) == updates
  assert metrics['updates'].tolist() == [updates, updates]
  assert int(state.counters.step) == 12
  # `updates` counts those before: 0, 1, 2, ...
  np.testing.assert_allclose(metrics['train/before'], [(updates - 1) / 2] * 2)


def test_updates_wait_for_the_replay_and_after_it_was_cleared():
  # Rows 3 to 7 and 10 to 12 find three rows or more.
  source = ToySource(min_rows=3, clear_at=7)
  state, _ = toy_run(source, learner.UpdateSchedule(1, 1), 12)
  assert state.nets.tolist() == [8, 8]


def test_rows_of_several_environments_are_rows():
  state, _ = toy_run(
    ToySource(steps_per_row=4), learner.UpdateSchedule(1, 2), 12
  )
  assert state.nets.tolist() == [6, 6]
  assert int(state.counters.step) == 48


def test_metrics_are_means_over_updates():
  losses = np.tile(np.arange(50.0), (2, 1)) * [[1.0], [10.0]]
  _, metrics = toy_run(
    ToySource(), learner.UpdateSchedule(1, 4), 8, losses.astype(np.float32)
  )
  # After rows 4 and 8.
  assert metrics['train/loss'].tolist() == [6, 60]
  assert metrics['train/episodes'].tolist() == [4, 4]
  assert metrics['train/return'].tolist() == [3, 3]  # Of 0, 2, 4 and 6.
  assert metrics['bad_step'].tolist() == [-1, -1]


def test_no_update_is_no_number():
  _, metrics = toy_run(ToySource(min_rows=99), learner.UpdateSchedule(1, 1), 5)
  assert np.isnan(metrics['train/loss']).all()
  assert metrics['updates'].tolist() == [0, 0]
  assert metrics['bad_step'].tolist() == [-1, -1]


@pytest.mark.parametrize('bad', (np.nan, np.inf, -np.inf))
def test_first_bad_step_of_each_seed_is_told(bad):
  losses = np.ones([2, 50], np.float32)
  losses[1, 5] = losses[1, 7] = bad
  source = ToySource(steps_per_row=2)
  _, metrics = toy_run(source, learner.UpdateSchedule(1, 1), 9, losses)
  assert metrics['bad_step'].tolist() == [-1, 10]


def test_bad_loss_that_was_no_update_is_none():
  losses = np.ones([2, 50], np.float32)
  losses[:, 5] = np.nan
  _, metrics = toy_run(ToySource(), learner.UpdateSchedule(1, 4), 9, losses)
  assert metrics['bad_step'].tolist() == [-1, -1]


class KeyKeeper:
  """Its networks are the key of their last update."""

  spec = types.SimpleNamespace(has_reference=False)

  @staticmethod
  def update(key, nets, batch, updates, shard, reference):
    del nets, batch, updates, shard, reference
    return key, {'loss': jnp.array(1.0)}


def test_no_key_is_used_twice():
  """Over rows, seeds, and what collects, samples and updates in a row."""

  class Source(ToySource):
    """Its data are the keys that it is given."""

    def collect(self, key, nets, env, replay, counters):
      return key, replay, {}

    def sample(self, key, env, replay, counters, batch_size=None):
      return key

  source = Source()
  keys = jax.random.split(jax.random.PRNGKey(0), 2)
  state = TrainState(
    nets=keys,
    replay=jnp.zeros([2]),
    env=keys,
    keys=Keys(keys, keys),
    counters=Counters(*(jnp.array(0, jnp.int32) for _ in range(4))),
    interventions={},
  )

  def row(state, _):
    state, _ = device_loop.row(
      state, KeyKeeper, source, learner.UpdateSchedule(1, 1)
    )
    return state, (state.env, state.nets)

  _, used = jax.jit(lambda s: jax.lax.scan(row, s, None, length=50))(state)
  used = np.concatenate([np.asarray(k).reshape(-1, 2) for k in used])
  assert used.shape == (200, 2)
  assert len({tuple(k) for k in used.tolist()}) == 200


@pytest.fixture(name='trained', scope='module')
def fixture_trained():
  """Three segments of a DQN through a switch: states and metrics."""
  experiment = small.build(small.dqn())
  state, states, metrics = experiment.init(), [], []
  for _ in range(3):
    states.append(jax.tree.map(np.array, state))
    state, out = experiment.trainer.segment(state)
    metrics.append(jax.tree.map(np.array, out))
  states.append(jax.tree.map(np.array, state))
  return experiment, states, metrics


def test_dqn_trains_at_its_ratio(trained):
  _, states, _ = trained
  counters = [s.counters for s in states]
  assert [int(c.step) for c in counters] == [0, 20, 40, 60]
  # A row is two steps and one update; the first four rows make a batch, and
  # those after the switch at step 48 again.
  assert [int(c.updates) for c in counters] == [0, 7, 17, 24]
  assert [int(c.stored) for c in counters] == [0, 10, 20, 30]
  assert int(counters[-1].cleared) == 24


def test_seeds_differ(trained):
  _, states, _ = trained
  for state in (states[0], states[-1]):
    for leaf in jax.tree.leaves(
      (state.nets['q'].params['encoder']['dense_0']['w'], state.keys)
    ):
      assert (leaf[0] != leaf[1]).any()


@pytest.mark.slow
def test_two_segments_are_one_of_twice_the_length(trained):
  experiment, states, _ = trained
  _, source = trainer_builder.build_agent_and_data(experiment.settings)
  long = jax.jit(
    lambda state: device_loop.segment(
      state, 20, experiment.agent, source, learner.update_schedule(0.5, 2)
    )
  )
  state, _ = long(jax.tree.map(jnp.array, states[1]))
  small.assert_equal(state, states[3])


@pytest.mark.slow
def test_looking_does_not_move_training(trained):
  experiment, states, metrics = trained
  state = jax.tree.map(jnp.array, states[0])
  for i in range(3):
    before = jax.tree.map(np.array, state)
    one, other = experiment.evaluate(state), experiment.evaluate(state)
    small.assert_equal(one, other)
    experiment.measure(state)
    small.assert_equal(state, before)
    state, out = experiment.trainer.segment(state)
    small.assert_equal(out, metrics[i])
  small.assert_equal(state, states[3])


@pytest.mark.slow
def test_seeds_in_a_batch_are_seeds_by_themselves(trained):
  experiment, states, _ = trained
  for i, seed in enumerate((1, 2)):
    alone = small.build(small.dqn(num_seeds=1, seed=seed))
    state = alone.init()
    small.assert_equal(
      state.keys, jax.tree.map(lambda x, i=i: x[i : i + 1], states[0].keys)
    )
    # The same code for both seeds.
    segment = small.build(small.dqn(num_seeds=1, seed=1)).trainer.segment
    for _ in range(3):
      state, _ = segment(state)
    small.assert_equal(state.counters, states[3].counters)
    for path, leaf in jax.tree_util.tree_leaves_with_path(
      state._replace(counters=None)
    ):
      theirs = states[3]._replace(counters=None)
      theirs = dict(jax.tree_util.tree_leaves_with_path(theirs))[path]
      np.testing.assert_allclose(
        np.asarray(leaf[0], float),
        np.asarray(theirs[i], float),
        rtol=1e-4,
        atol=1e-5,
        err_msg=jax.tree_util.keystr(path),
      )
  del experiment


def test_a_segment_works_in_the_buffers_of_its_state(trained):
  experiment = trained[0]
  state = experiment.init()
  after, _ = experiment.trainer.segment(state)
  kept = [
    jax.tree_util.keystr(path)
    for path, x in jax.tree_util.tree_leaves_with_path(state)
    if not x.is_deleted()
  ]
  assert kept == []
  assert not any(x.is_deleted() for x in jax.tree.leaves(after))


@pytest.mark.parametrize('capacity', (10**9, 2**31 - 2))
def test_a_replay_larger_than_memory_is_refused(capacity, monkeypatch):
  monkeypatch.setattr(device_trainer.memory, 'of_host', lambda: 10**8)
  # An observation of 12 bits in 2 bytes, also at the end of an episode of 3
  # steps and of a task of 24 rows; 13 bytes beside; two seeds, and the copies
  # that checkpoints are written from; two environments.
  fits = int(10**8 / (4 * (13 + 2 * (1 + 1 / 3 + 1 / 24)))) // 2 * 2
  with pytest.raises(UserError, match=f'; {fits} transitions would fit'):
    experiment_lib.build(small.dqn(**{'replay.capacity': capacity}))
