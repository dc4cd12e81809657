"""Streams on a game whose every observation says where it comes from."""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from plasticity_rl.environments import base as environments
from plasticity_rl.environments.spaces import Discrete
from plasticity_rl.training import datasets
from plasticity_rl.training import rollout
from plasticity_rl.types import Counters
from tests.training import small

KEY = jax.random.PRNGKey(10)
LENGTH = 4  # Steps of an episode.
SWITCH = 12  # Steps of a task: six rows of two environments.


class Where(NamedTuple):
  """Task, episode and time."""

  task: jax.Array
  episode: jax.Array
  time: jax.Array


def game(uneven=False):
  """Terminates after `LENGTH` steps with a reward of 1; tasks are random.

  With `uneven`, some episodes are but half as long, and reward goes on after
  the end for those who do not look.
  """

  def see(state):
    return jnp.stack([state.task, state.episode, state.time])

  def draw(key):
    return jax.random.uniform(key)

  def init(key):
    return Where(draw(key), jnp.array(-1.0), jnp.array(0.0))

  def reset(key, state):
    late = jax.random.bernoulli(key) * (LENGTH / 2) if uneven else 0.0
    state = state._replace(episode=state.episode + 1, time=jnp.array(late))
    return state, environments.restart(see(state))

  def step(key, state, action):
    del key, action
    state = state._replace(time=state.time + 1)
    done = state.time >= LENGTH
    return state, environments.transition(done * 1.0, done, see(state))

  return environments.Environment(
    name='game',
    observation_shape=(3,),
    observation_dtype=jnp.float32,
    actions=Discrete(2),
    return_range=(0.0, 1.0),
    init=init,
    reset=reset,
    step=step,
    switch=lambda key, state: state._replace(task=draw(key)),
  )


class Player:
  """Its action in training is the step from which exploration counts."""

  @staticmethod
  def act(key, nets, observations, step):
    del key, nets
    return jnp.full(observations.shape[:1], step, jnp.int32)

  @staticmethod
  def act_greedily(key, nets, observations):
    del key, nets
    return jnp.zeros(observations.shape[:1], jnp.int32)


def settings_of(switch=SWITCH, restart=False, clear=True):
  settings = small.dqn(
    **{
      'replay.capacity': 40,
      'replay.min_size': 4,
      'replay.n_step': 2,
      'replay.discount': 0.5,
      'replay.clear_on_switch': clear,
      'agent.epsilon_restart_on_switch': restart,
      'evaluation.episodes': 3,
      'evaluation.max_steps': 10,
    }
  )
  environment = dataclasses.replace(
    settings.environment, switch_every_steps=switch
  )
  return dataclasses.replace(settings, environment=environment)


def zero():
  return Counters(*(jnp.array(0, jnp.int32) for _ in range(4)))


def play(settings, rows=10, key=KEY):
  """The source, and all there is after each row."""
  source = rollout.EnvironmentSource(Player, game(), settings)

  @jax.jit
  def run():
    def row(carry, key):
      env, replay, counters = carry
      env, replay, metrics = source.collect(key, {}, env, replay, counters)
      counters = source.advance(counters)
      return (env, replay, counters), (counters, metrics)

    init_key, row_key = jax.random.split(key)
    carry = (*source.init(init_key), zero())
    return jax.lax.scan(row, carry, jax.random.split(row_key, rows))

  return source, *run()


def held(source, replay):
  """The first ten rows."""
  return source.ring.rows(replay, np.arange(10))


@pytest.fixture(name='played', scope='module')
def fixture_played():
  return play(settings_of())


def test_rows_of_episodes_that_terminate(played):
  source, (_, replay, _), _ = played
  replay = held(source, replay)
  # Rows 0 to 3 are the first episode, of both environments.
  np.testing.assert_array_equal(
    replay.s_tm1[:4, 0, 1:], [[0, 0], [0, 1], [0, 2], [0, 3]]
  )
  np.testing.assert_array_equal(
    replay.s_t[:4, 0, 1:],
    [
      [0, 1],
      [0, 2],
      [0, 3],
      [0, 4],  # The true last one.
    ],
  )
  np.testing.assert_array_equal(replay.r_t[:4, 1], [0, 0, 0, 1])
  np.testing.assert_array_equal(replay.discount_t[:4, 1], [1, 1, 1, 0])
  np.testing.assert_array_equal(replay.last[:4, 1], [0, 0, 0, 1])


def test_a_switch_truncates(played):
  """Row 5 is the last of the first task, in the middle of an episode."""
  source, (_, replay, _), _ = played
  replay = held(source, replay)
  first, second = replay.s_tm1[0, 0, 0], replay.s_tm1[6, 0, 0]
  assert first != second
  np.testing.assert_array_equal(replay.s_tm1[:6, :, 0], np.full([6, 2], first))
  assert replay.last[5].tolist() == [True, True]
  assert replay.discount_t[5].tolist() == [1, 1]  # Bootstrapped from ...
  np.testing.assert_array_equal(
    replay.s_t[5],
    [[first, 1, 2]] * 2,  # ... the true next observation.
  )
  # The next row begins an episode of the next task.
  np.testing.assert_array_equal(replay.s_tm1[6, :, 0], [second] * 2)
  assert replay.s_tm1[6, :, 2].tolist() == [0, 0]
  np.testing.assert_array_equal(replay.s_tm1[6:10, 0, 2], [0, 1, 2, 3])


def test_environments_of_a_seed_share_its_task(played):
  source, (_, replay, _), _ = played
  tasks = np.asarray(held(source, replay).s_tm1[..., 0])
  np.testing.assert_array_equal(tasks[:, 0], tasks[:, 1])
  assert len(set(tasks[:, 0].tolist())) == 2
  source, (_, other, _), _ = play(settings_of(), key=jax.random.PRNGKey(11))
  assert not np.isin(held(source, other).s_tm1[..., 0], tasks).any()


def test_only_ended_episodes_count(played):
  _, _, (_, metrics) = played
  # Of a truncated episode no return is known.
  assert metrics['episodes'].tolist() == [0, 0, 0, 2, 0, 0, 0, 0, 0, 2]
  assert metrics['return_sum'].tolist() == [0, 0, 0, 2, 0, 0, 0, 0, 0, 2]


def test_replay_is_cleared_at_the_switch(played):
  source, _, (counters, _) = played
  assert counters.step.tolist() == list(range(2, 22, 2))
  assert counters.stored.tolist() == list(range(1, 11))
  assert counters.cleared.tolist() == [0] * 6 + [6] * 4
  # Two rows make the four transitions that updates need.
  ready = [
    bool(source.ready(jax.tree.map(lambda x, i=i: x[i], counters)))
    for i in range(10)
  ]
  assert ready == [False] + [True] * 5 + [False] + [True] * 3


def test_after_the_switch_the_old_task_is_not_sampled(played):
  source, (env, replay, counters), _ = played
  batch = source.sample(KEY, env, replay, counters, 200)
  assert set(batch.s_tm1[:, 0].tolist()) == {
    float(held(source, replay).s_tm1[6, 0, 0])
  }
  assert set(batch.s_tm1[:, 2].tolist()) == {0, 1, 2}  # Two steps each.


def test_replay_may_be_kept():
  source, (env, replay, counters), _ = play(settings_of(clear=False))
  assert int(counters.cleared) == 0
  batch = source.sample(KEY, env, replay, counters, 400)
  found = set(
    zip(*(batch.s_tm1[:, i].tolist() for i in (0, 1, 2)), strict=True)
  )
  tasks = held(source, replay).s_tm1[..., 0]
  first, second = float(tasks[0, 0]), float(tasks[6, 0])
  assert {task for task, _, _ in found} == {first, second}
  # A window that begins at the cut ends there: no reward from the next task,
  # and one discount alone.
  cut = np.asarray(
    (batch.s_tm1[:, 0] == first)
    & (batch.s_tm1[:, 1] == 1)
    & (batch.s_tm1[:, 2] == 1)
  )
  assert cut.any()
  np.testing.assert_array_equal(
    np.asarray(batch.s_t)[cut], [[first, 1, 2]] * cut.sum()
  )
  np.testing.assert_array_equal(np.asarray(batch.discount_t)[cut], 0.5)


@pytest.mark.parametrize('restart', (False, True))
def test_exploration_restarts_with_the_task(restart):
  _, (_, replay, _), _ = play(settings_of(restart=restart))
  assert replay.a_tm1[:10, 0].tolist() == (
    [0, 2, 4, 6, 8, 10, 0, 2, 4, 6] if restart else list(range(0, 20, 2))
  )


def test_evaluation_plays_whole_episodes_of_the_task(played):
  source, (env, _, _), _ = played
  values = jax.jit(source.evaluate)(KEY, {}, env)
  assert float(values['eval/return']) == 1
  assert float(values['eval/steps']) == 3 * LENGTH


def test_evaluation_counts_each_episode_to_its_end():
  settings = settings_of()
  settings = dataclasses.replace(
    settings, evaluation=dataclasses.replace(settings.evaluation, episodes=20)
  )
  source = rollout.EnvironmentSource(Player, game(uneven=True), settings)
  env, _ = source.init(KEY)
  values = jax.jit(source.evaluate)(KEY, {}, env)
  assert float(values['eval/return']) == 1
  assert 20 * LENGTH / 2 < float(values['eval/steps']) < 20 * LENGTH


def test_evaluation_is_cut():
  settings = settings_of()
  settings = dataclasses.replace(
    settings, evaluation=dataclasses.replace(settings.evaluation, max_steps=3)
  )
  source = rollout.EnvironmentSource(Player, game(), settings)
  env, _ = source.init(KEY)
  values = jax.jit(source.evaluate)(KEY, {}, env)
  assert float(values['eval/return']) == 0
  assert float(values['eval/steps']) == 9


class Guesser:
  """Logits that know nothing, or everything."""

  labels = None

  def act_greedily(self, key, nets, observations):
    del key, nets
    logits = jnp.zeros([len(observations), 3])
    if self.labels is not None:
      logits = 50.0 * jax.nn.one_hot(self.labels, 3)
    return logits


def test_random_labels_change_and_inputs_stay():
  source = datasets.RandomLabels(Guesser(), small.supervised())
  env, replay = jax.jit(source.init)(KEY)
  assert set(env.labels.tolist()) == {0, 1, 2}
  collect = jax.jit(source.collect)
  counters, labels = zero(), [env.labels]
  for i in range(21):
    before = env
    env, replay, _ = collect(
      jax.random.fold_in(KEY, i), {}, env, replay, counters
    )
    np.testing.assert_array_equal(env.inputs, before.inputs)
    counters = source.advance(counters)
    labels.append(env.labels)
  changes = [
    i
    for i, (a, b) in enumerate(zip(labels, labels[1:], strict=False))
    if (a != b).any()
  ]
  assert changes == [10, 20]
  batch = source.sample(KEY, env, replay, counters, 50)
  for x, label in zip(batch.s_tm1, batch.a_tm1, strict=True):
    (index,) = np.flatnonzero((env.inputs == x).all(-1))
    assert env.labels[index] == label


def test_random_labels_are_evaluated_on_all():
  guesser = Guesser()
  source = datasets.RandomLabels(guesser, small.supervised())
  env, _ = jax.jit(source.init)(KEY)
  values = source.evaluate(KEY, {}, env)
  np.testing.assert_allclose(values['eval/return'], -np.log(3), rtol=1e-6)
  np.testing.assert_allclose(source.return_range, (-np.log(3), 0), rtol=1e-6)
  guesser.labels = env.labels
  values = source.evaluate(KEY, {}, env)
  assert float(values['eval/accuracy']) == 1
  assert abs(float(values['eval/return'])) < 1e-6
