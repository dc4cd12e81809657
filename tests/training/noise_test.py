"""What must differ from step to step, between environments and seeds."""

import types
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from plasticity_rl.environments import base as environments
from plasticity_rl.environments import time_limit
from plasticity_rl.environments.spaces import Discrete
from plasticity_rl.learner import learner
from plasticity_rl.replay import host_ring
from plasticity_rl.training import device_loop
from plasticity_rl.training import experiment as experiment_lib
from plasticity_rl.training import rollout
from plasticity_rl.training import trainer_builder
from tests.training import host_trainer_test as host
from tests.training import small
from tests.training import walks

NOTED = 'tests.training.walks:Noted'
# Randomly all along, on the host too.
RANDOM = {
  'agent.epsilon_begin': 1.0,
  'agent.epsilon_hold_steps': 1000,
  'agent.epsilon_evaluation': 1.0,
}


class Drawn(NamedTuple):
  """The last two draws of a game and the last two actions; steps so far."""

  draws: jax.Array
  actions: jax.Array
  steps: jax.Array


# What the reward of a step is: whether a draw, or an action, is the one before;
# whether the draw is a high one; whether the one of the reset was.
REWARDS = {
  'repeated draws': lambda s: s.draws[0] == s.draws[1],
  'repeated actions': lambda s: s.actions[0] == s.actions[1],
  'high draws': lambda s: s.draws[0] > 0.5,
  'high first draws': lambda s: (s.steps == 1) & (s.draws[1] > 0.5),
}


def game(reward):
  """Draws a number at every step, which it shows. Episodes are truncated."""

  def init(key):
    del key
    return Drawn(jnp.zeros(2), jnp.zeros(2, jnp.int32), jnp.array(0))

  def reset(key, state):
    state = state._replace(
      draws=jnp.stack([jax.random.uniform(key), -1.0]), steps=jnp.array(0)
    )
    return state, environments.restart(state.draws[:1])

  def step(key, state, action):
    state = Drawn(
      jnp.stack([jax.random.uniform(key), state.draws[0]]),
      jnp.stack([action, state.actions[0]]),
      state.steps + 1,
    )
    return state, environments.transition(
      REWARDS[reward](state), jnp.array(False), state.draws[:1]
    )

  return time_limit.time_limit(
    environments.Environment(
      name='game',
      observation_shape=(1,),
      observation_dtype=jnp.float32,
      actions=Discrete(3),
      return_range=(0.0, 1.0),
      init=init,
      reset=reset,
      step=step,
    ),
    30,
  )


def on_device(monkeypatch, reward, **changes):
  """A trained experiment of the game, and its state after two segments."""
  monkeypatch.setattr(
    trainer_builder.environments, 'make', lambda *_, **__: game(reward)
  )
  settings = small.dqn(
    **{
      'environment.permute': 'none',
      'environment.permute_actions': False,
      'environment.switch_every_steps': 0,
      'replay.clear_on_switch': False,
      'replay.capacity': 80,
      'evaluation.episodes': 20,
      'evaluation.max_steps': 30,
      **RANDOM,
      **changes,
    }
  )
  experiment = experiment_lib.build(settings)
  state = experiment.init()
  for _ in range(2):
    state, _ = experiment.trainer.segment(state)
  return experiment, state


def test_steps_on_the_device_without_updates_have_noise_of_their_own(
  monkeypatch,
):
  """Neither of them waits for an update: there is none."""
  experiment, state = on_device(
    monkeypatch, 'repeated draws', **{'replay.min_size': 80}
  )
  assert int(state.counters.updates) == 0
  _, source = trainer_builder.build_agent_and_data(experiment.settings)
  rows = jax.vmap(lambda replay: source.ring.rows(replay, np.arange(20)))
  draws = np.asarray(rows(state.replay).s_t)  # Seeds, rows, environments.
  assert len(np.unique(draws)) == draws.size == 2 * 20 * 2
  actions = np.asarray(state.replay.a_tm1[:, :20])
  each = np.moveaxis(actions, 1, -1).reshape(-1, 20)
  assert all(len(set(row.tolist())) == 3 for row in each)
  assert len({row.tobytes() for row in each}) == 4


def evaluated(monkeypatch, reward):
  """The summed returns of 20 episodes of 30 steps, of two seeds."""
  experiment, state = on_device(monkeypatch, reward)
  return np.asarray(experiment.evaluate(state)['eval/return']) * 20


def test_evaluation_on_the_device_draws_anew_at_each_step(monkeypatch):
  assert evaluated(monkeypatch, 'repeated draws').tolist() == [0, 0]
  # Of three actions, a third is the one before.
  actions = evaluated(monkeypatch, 'repeated actions')
  assert (20 * 30 / 4 < actions).all() and (actions < 20 * 30 / 2).all()
  assert actions[0] != actions[1]


@pytest.mark.parametrize('reward', ['high draws', 'high first draws'])
def test_episodes_of_an_evaluation_on_the_device_differ(monkeypatch, reward):
  # Of episodes that are all alike it would be a multiple of 20.
  assert (evaluated(monkeypatch, reward) % 20).any()


def played(monkeypatch):
  monkeypatch.setattr(walks.Noted, 'actions', found := [])
  return found


def test_steps_on_the_host_without_updates_have_noise_of_their_own(monkeypatch):
  experiment = experiment_lib.build(
    host.make(NOTED, **RANDOM, **{'replay.min_size': 64})
  )
  actions = played(monkeypatch)
  state = experiment.init()
  for _ in range(2):
    state, _ = experiment.trainer.segment(state)
  assert int(state.counters.updates) == 0
  whole = [own for own in actions if own]
  assert [len(own) for own in whole] == [20] * 4  # Two seeds, two each.
  assert all(len(set(own)) == 3 for own in whole)
  assert len(set(map(tuple, whole))) == 4


def test_evaluation_on_the_host_draws_anew_at_each_step(monkeypatch):
  experiment = experiment_lib.build(host.make(NOTED, **RANDOM))
  state = experiment.init()
  actions = played(monkeypatch)
  experiment.evaluate(state)
  whole = [own for own in actions if own]
  assert [len(own) for own in whole] == [30] * 4  # Two seeds, two episodes.
  assert all(len(set(own)) == 3 for own in whole)
  assert len(set(map(tuple, whole))) == 4


@pytest.mark.parametrize('overlap', (False, True))
def test_batches_on_the_host_are_drawn_anew(monkeypatch, overlap):
  """At every step, for every seed, in priming and for the diagnostics."""
  states, sample_frames = [], host_ring.HostRing.sample_frames

  def noted(self, rng, *args):
    states.append(repr(rng.bit_generator.state))
    return sample_frames(self, rng, *args)

  monkeypatch.setattr(host_ring.HostRing, 'sample_frames', noted)
  settings = host.make(
    **{'environment.overlap': overlap, 'replay.priming_updates': 100}
  )
  experiment = experiment_lib.build(settings)
  state = experiment.init()
  for _ in range(2):
    state, _ = experiment.trainer.segment(state)
  learned = len(states)
  assert learned >= 2 * 15
  for _ in range(2):
    state = experiment.trainer.prime(state)
  assert len(states) == learned + 2 * 2 * 2  # Two calls for each, two seeds.
  experiment.measure(state)
  assert len(states) == learned + 2 * 2 * 2 + 2
  assert len(set(states)) == len(states)


def test_batches_on_the_host_are_not_those_of_the_step_before():
  """Drawn from a replay that stays as it is, so only the number differs."""
  experiment = experiment_lib.build(host.make())
  state = experiment.init()
  for _ in range(2):
    state, _ = experiment.trainer.segment(state)
  data, keys = experiment.trainer._data, np.asarray(state.keys.run)
  drawn = [
    data.sample(state.replay, state.env, keys, name, number, 32).frames
    for name in ('sample', 'prime')
    for number in range(4)
  ]
  assert len({frames.tobytes() for frames in drawn}) == 8
  assert not np.array_equal(drawn[0][0], drawn[0][1])  # Of two seeds.


class NoteTaker:
  """Its network is a list of what its updates drew: the batch and noise."""

  spec = types.SimpleNamespace(has_reference=False)

  @staticmethod
  def act(key, nets, observations, step):
    del key, nets, step
    return jnp.zeros(observations.shape[:1], jnp.int32)

  @staticmethod
  def update(key, nets, batch, updates, shard, reference):
    del shard, reference
    notes = jnp.stack([batch, jax.random.uniform(key)])
    return nets.at[updates].set(notes), {'loss': jnp.array(0.0)}


class Numbers(rollout.EnvironmentSource):
  """Its batch is a number that is drawn."""

  def sample(self, key, env, replay, counters, batch_size=None):
    return jax.random.uniform(key)


@pytest.mark.parametrize('updates_per_step', (1.0, 2.0))
def test_updates_on_the_device_draw_anew(updates_per_step):
  """In one step, in the next one, in chunks of priming, and for each seed."""
  settings = small.dqn(
    **{
      'environment.permute': 'none',
      'environment.permute_actions': False,
      'environment.switch_every_steps': 0,
      'replay.clear_on_switch': False,
      'replay.updates_per_step': updates_per_step,
    }
  )
  experiment = small.build(settings)
  source = Numbers(NoteTaker(), game('high draws'), settings)
  state = experiment.init()
  state = state._replace(
    nets=jnp.full((2, 64, 2), -1.0), env=(), replay=(), interventions={}
  )
  env, replay = jax.vmap(source.init)(state.keys.event)
  state = state._replace(env=env, replay=replay)
  schedule = learner.update_schedule(updates_per_step, source.steps_per_row)
  state, _ = jax.jit(
    lambda s: device_loop.segment(s, 8, NoteTaker(), source, schedule)
  )(state)
  trained = int(state.counters.updates)
  assert trained == 5 * 2 * updates_per_step  # From the fourth row on.
  for _ in range(2):
    state = jax.jit(lambda s: device_loop.prime(s, 10, NoteTaker(), source))(
      state
    )
  drawn = np.asarray(state.nets[:, : trained + 20])
  assert (drawn >= 0).all()
  assert len(np.unique(drawn)) == drawn.size
