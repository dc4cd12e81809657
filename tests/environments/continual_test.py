"""A task is the same game behind permutations that last until a switch."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from plasticity_rl.environments import base
from plasticity_rl.environments import catch
from plasticity_rl.environments import continual
from plasticity_rl.environments.spaces import Discrete
from plasticity_rl.errors import UserError

KEY = jax.random.PRNGKey(0)


def image_env():
  """Observations `[2, 2, 6]`, each element its own number."""
  image = jnp.arange(24.0).reshape(2, 2, 6)
  return base.Environment(
    name='image',
    observation_shape=(2, 2, 6),
    observation_dtype=jnp.float32,
    actions=Discrete(4),
    return_range=(0.0, 3.0),
    init=lambda key: jnp.int32(0),
    reset=lambda key, state: (jnp.int32(0), base.restart(image)),
    # The reward says which action the game was given.
    step=lambda key, state, action: (
      state + 1,
      base.transition(action, False, image),
    ),
  )


@pytest.mark.parametrize('seed', range(3))
def test_inputs_are_a_bijection_of_all_elements(seed):
  env = continual.continual(image_env(), 'inputs', False)
  state, timestep = env.reset(KEY, env.init(jax.random.PRNGKey(seed)))
  assert state.actions is None
  seen = np.asarray(timestep.observation)
  assert seen.shape == (2, 2, 6)
  assert sorted(seen.ravel()) == list(range(24))
  np.testing.assert_array_equal(seen.ravel(), state.inputs)
  # The first task is a permutation too.
  assert (seen.ravel() != np.arange(24)).any()


def test_channels_keep_every_pixel_in_place():
  env = continual.continual(image_env(), 'channels', False)
  state, timestep = env.reset(KEY, env.init(KEY))
  seen = np.asarray(timestep.observation)
  image = np.arange(24.0).reshape(2, 2, 6)
  order = seen[0, 0].astype(int)
  assert sorted(order) == list(range(6)) and list(order) != list(range(6))
  np.testing.assert_array_equal(seen, image[..., order])
  _, timestep = env.step(KEY, state, 0)
  np.testing.assert_array_equal(timestep.observation, seen)


def test_actions_are_a_bijection_and_leave_inputs_alone():
  env = continual.continual(image_env(), 'none', True)
  state, timestep = env.reset(KEY, env.init(KEY))
  assert state.inputs is None
  np.testing.assert_array_equal(timestep.observation.ravel(), np.arange(24))
  played = [float(env.step(KEY, state, a)[1].reward) for a in range(4)]
  assert sorted(played) == [0, 1, 2, 3]
  np.testing.assert_array_equal(played, state.actions)


def test_all_orders_come_up():
  env = continual.continual(image_env(), 'none', True)
  states = jax.vmap(env.init)(jax.random.split(KEY, 400))
  orders = {tuple(order) for order in np.asarray(states.actions).tolist()}
  assert len(orders) == 24


def test_inputs_and_actions_are_drawn_independently():
  env = image_env()._replace(
    actions=Discrete(6)
  )  # As many as there are channels.
  env = continual.continual(env, 'channels', True)
  states = jax.vmap(env.init)(jax.random.split(KEY, 400))
  same = np.asarray(states.inputs == states.actions)
  assert abs(same.mean() - 1 / 6) < 0.04  # Five standard errors or so.


def test_switch_changes_the_task_and_reset_keeps_it():
  env = continual.continual(catch.make(), 'inputs', True)
  state = env.init(KEY)
  after_reset, _ = env.reset(jax.random.PRNGKey(5), state)
  after_step, _ = env.step(jax.random.PRNGKey(6), after_reset, 1)
  for kept in (after_reset, after_step):
    np.testing.assert_array_equal(kept.inputs, state.inputs)
    np.testing.assert_array_equal(kept.actions, state.actions)
  keys = jax.random.split(jax.random.PRNGKey(7), 8)
  switched = [env.switch(key, state) for key in keys]
  assert all((s.inputs != state.inputs).any() for s in switched)
  assert any((s.actions != state.actions).any() for s in switched)
  assert len({tuple(s.inputs.tolist()) for s in switched}) == 8
  for new in switched:
    assert sorted(new.inputs.tolist()) == list(range(50))


def test_switch_reaches_an_inner_switch():
  inner = continual.continual(image_env(), 'none', True)
  env = continual.continual(inner, 'inputs', False)
  state = env.init(KEY)
  switched = [env.switch(jax.random.PRNGKey(i), state) for i in range(8)]
  assert any((s.inner.actions != state.inner.actions).any() for s in switched)


@pytest.mark.slow
def test_best_player_wins_through_the_permutations():
  """Undoing the task gives the game back: Catch is won each time."""
  env = continual.continual(catch.make(), 'inputs', True)

  def act(state, observation):
    # argsort inverts a permutation.
    board = observation.ravel()[jnp.argsort(state.inputs)].reshape(10, 5)
    ball = jnp.argmax(board[:-1].any(axis=0))
    wanted = jnp.sign(ball - jnp.argmax(board[-1])) + 1
    return jnp.argsort(state.actions)[wanted]

  @jax.jit
  @jax.vmap
  def play(key, undo):
    state, timestep = env.reset(key, env.init(key))

    def one(carry, _):
      state, observation = carry
      action = jnp.where(undo, act(state, observation), 0)
      state, timestep = env.step(key, state, action)
      return (state, timestep.observation), timestep.reward

    carry = (state, timestep.observation)
    return jax.lax.scan(one, carry, None, length=9)[1].sum()

  keys = jax.random.split(KEY, 200)
  returns = play(keys, jnp.arange(200) < 100)
  np.testing.assert_array_equal(returns[:100], np.ones(100))
  # And one that does not undo it loses most.
  assert np.mean(returns[100:]) < 0


def test_bad_input():
  with pytest.raises(UserError, match='none, inputs, channels'):
    continual.continual(catch.make(), 'pixels', True)
  with pytest.raises(UserError, match='nothing to permute'):
    continual.continual(catch.make(), 'none', False)
  with pytest.raises(UserError, match=r"use permute='inputs'"):
    continual.continual(catch.make(), 'channels', False)


def test_gradual_tasks_exchange_a_few_more_at_a_time():
  """From the first permutation to the second, which the switch goes on from."""
  env = continual.continual(image_env(), 'inputs', True, gradual_steps=12)
  state = env.init(KEY)
  before, after = state.change.before, state.change.after
  for drawn in (*before, *after):
    assert sorted(drawn.tolist()) == list(range(drawn.size))
  assert (before.inputs != after.inputs).any()
  for steps in range(13):
    kept, timestep = env.reset(KEY, state)
    np.testing.assert_array_equal(timestep.observation.ravel(), kept.inputs)
    # Of 24 inputs, two are put in place at each step.
    np.testing.assert_array_equal(
      kept.inputs[: 2 * steps], after.inputs[: 2 * steps]
    )
    assert sorted(kept.inputs.tolist()) == list(range(24))
    if steps == 0:
      np.testing.assert_array_equal(kept.inputs, before.inputs)
      np.testing.assert_array_equal(kept.actions, before.actions)
    state, timestep = env.step(KEY, kept, 1)
    np.testing.assert_array_equal(timestep.observation.ravel(), kept.inputs)
    assert timestep.reward == kept.actions[1]
  np.testing.assert_array_equal(kept.inputs, after.inputs)
  np.testing.assert_array_equal(kept.actions, after.actions)
  switched = env.switch(jax.random.PRNGKey(1), state)
  np.testing.assert_array_equal(switched.inputs, after.inputs)
  assert (switched.change.after.inputs != after.inputs).any()
  assert switched.change.steps == 0
