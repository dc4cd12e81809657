"""Seeds in turn do what they do at once."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from configs import continual_catch
from configs import minatar
from plasticity_rl import settings as settings_lib
from plasticity_rl.training import device_loop
from plasticity_rl.training import device_trainer
from plasticity_rl.training import experiment as experiment_lib
from plasticity_rl.training import seeds
from plasticity_rl.training import trainer_builder
from tests.training import small


def settings(num_seeds, seed=1):
  """Continual Catch, past a switch; a replay that is full and emptied."""
  return small.dqn(
    num_seeds=num_seeds,
    seed=seed,
    segment_steps=80,
    **{'replay.priming_updates': 5},
  )


def segment(settings):
  """A segment, and five updates more."""
  trainer = experiment_lib.build(settings).trainer
  state, metrics = trainer.segment(trainer.init())
  return trainer.prime(state), metrics


def assert_close(a, b):
  for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
    assert (x.shape, x.dtype) == (y.shape, y.dtype)
    np.testing.assert_allclose(
      np.asarray(x, np.float64), np.asarray(y, np.float64), rtol=1e-4, atol=1e-5
    )


@pytest.fixture(name='in_turn')
def fixture_in_turn(monkeypatch):
  """Whatever the layers' size."""
  monkeypatch.setattr(
    device_trainer.seeds_lib, 'are_better_in_turn', lambda params: True
  )


@pytest.mark.slow
def test_as_at_once(in_turn, monkeypatch):
  state, metrics = segment(settings(3))
  monkeypatch.undo()
  at_once, metrics_at_once = segment(settings(3))
  assert_close(state, at_once)
  assert_close(metrics, metrics_at_once)
  # A counter each would have been added up.
  assert int(state.counters.step) == 80
  assert int(state.counters.updates) == int(metrics['updates'][0]) + 5


@pytest.mark.slow
def test_each_seed_is_the_run_of_that_seed_alone(in_turn):
  state, metrics = segment(settings(3))
  for k in range(3):
    alone, alone_metrics = segment(settings(1, seed=1 + k))
    for a, b in (
      (state._replace(counters=()), alone._replace(counters=())),
      (metrics, alone_metrics),
    ):
      small.assert_equal(jax.tree.map(lambda x, k=k: x[k : k + 1], a), b)


@pytest.mark.parametrize('turn, seen', [(True, 1), (False, 3)])
def test_segments_and_priming_take_seeds_alike(turn, seen, monkeypatch):
  """By one rule, both see one seed at a time or all three."""
  counts = {}

  def record(name, real):
    def recorded(state, *args):
      counts[name] = len(state.keys.run)
      return real(state, *args)

    monkeypatch.setattr(device_loop, name, recorded)

  record('segment', device_loop.segment)
  record('prime', device_loop.prime)
  monkeypatch.setattr(
    device_trainer.seeds_lib, 'are_better_in_turn', lambda params: turn
  )
  trainer = experiment_lib.build(settings(3)).trainer
  for function in (trainer.segment, trainer.prime):
    jax.eval_shape(function, trainer.shapes())
  assert counts == {'segment': seen, 'prime': seen}


@pytest.mark.parametrize('width, better', [(127, False), (128, True)])
def test_the_rule_is_of_the_largest_layer(width, better, monkeypatch):
  params = {'w': jnp.zeros([width, 128]), 'b': jnp.zeros([width])}
  monkeypatch.setattr(jax, 'default_backend', lambda: 'cpu')
  assert seeds.are_better_in_turn(params) == better
  monkeypatch.setattr(jax, 'default_backend', lambda: 'gpu')
  assert not seeds.are_better_in_turn(params)


def test_minatar_trains_in_turn_and_catch_does_not():
  pytest.importorskip('pgx', reason='pgx is not installed')
  for config, better in (
    (continual_catch.get_config('demo'), False),
    (minatar.get_config('breakout'), True),
  ):
    agent, _ = trainer_builder.build_agent_and_data(
      settings_lib.resolve(config)
    )
    nets = jax.eval_shape(agent.init, jax.random.PRNGKey(0))
    params = [net.params for net in nets.values()]
    assert seeds.are_better_in_turn(params) == better
