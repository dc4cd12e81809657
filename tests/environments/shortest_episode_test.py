"""No episode is shorter than its environment says."""

import jax
import jax.numpy as jnp
import pytest

from plasticity_rl.environments import base
from plasticity_rl.environments import registry
from plasticity_rl.environments import time_limit
from plasticity_rl.environments.spaces import Discrete

GAMES, STEPS = 200, 40


def shortest(env, policy):
  """The fewest steps of an episode, of those that end within `STEPS`."""

  def play(key):
    init_key, reset_key, key = jax.random.split(key, 3)
    state, _ = env.reset(reset_key, env.init(init_key))

    def step(carry, t):
      state, ended = carry
      act_key, step_key = jax.random.split(jax.random.fold_in(key, t))
      state, timestep = env.step(step_key, state, policy(act_key, t))
      ended |= timestep.last()
      return (state, ended), ended

    _, ended = jax.lax.scan(step, (state, False), jnp.arange(STEPS))
    return jnp.where(ended.any(), ended.argmax() + 1, STEPS + 1)

  keys = jax.random.split(jax.random.PRNGKey(0), GAMES)
  return int(jax.jit(jax.vmap(play))(keys).min())


def at_random(env):
  def act(key, t):
    del t
    if isinstance(env.actions, Discrete):
      return jax.random.randint(key, (), 0, env.actions.num_actions)
    return jax.random.uniform(key, (env.actions.size,), minval=-1)

  return act


@pytest.mark.parametrize('name', registry.DEVICE_NAMES)
def test_random_play(name):
  env = registry.make(name)
  assert env.shortest_episode >= 1
  found = shortest(env, at_random(env))
  assert found >= min(env.shortest_episode, STEPS)


@pytest.mark.parametrize(
  'name, options, expected',
  [
    ('catch', {'rows': 4}, 3),
    ('catch', {'rows': 4, 'permute': 'inputs'}, 3),
    ('catch', {'rows': 4, 'max_episode_steps': 2}, 2),
    ('minatar_breakout', {}, 6),
    ('pendulum', {'max_episode_steps': 7}, 7),
  ],
)
def test_it_is_reached(name, options, expected):
  env = registry.make(name, **options)
  assert env.shortest_episode == expected
  assert shortest(env, at_random(env)) == expected


def test_seaquest_ends_where_a_submarine_comes_up_without_a_diver():
  env = registry.make('minatar_seaquest', sticky_action_prob=0.0)
  moves = jnp.array([4, 2])  # Down, up.
  found = shortest(env, lambda key, t: moves[jnp.minimum(t, 1)])
  assert found == env.shortest_episode == 2


def test_freeway_takes_as_long_as_its_clock():
  env = registry.make('minatar_freeway')
  state = env.init(jax.random.PRNGKey(0))
  assert env.shortest_episode == int(state['_terminate_timer']) + 1 == 2501


def test_a_limit_on_an_environment_that_does_not_say():
  env = registry.make('catch')._replace(shortest_episode=1)
  assert time_limit.time_limit(env, 5).shortest_episode == 1
  assert base.Environment._field_defaults['shortest_episode'] == 1
