"""Physics that changes from task to task."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from plasticity_rl.environments import base
from plasticity_rl.environments import pendulum
from plasticity_rl.environments import registry
from plasticity_rl.environments import varying
from plasticity_rl.environments.spaces import Continuous
from plasticity_rl.errors import UserError

KEY = jax.random.PRNGKey(0)
VARIED = [name for name, entry in registry._ENTRIES.items() if entry.physics]


@pytest.mark.parametrize('name', VARIED)
def test_the_table_names_the_physics(name):
  entry = registry._ENTRIES[name]
  module = registry._module(entry.module)
  assert module.make(*entry.arguments).physics._fields == entry.physics


@pytest.mark.parametrize('name', VARIED)
def test_each_constant_changes_the_motion(name):
  plain = registry.make(name)
  action = jnp.int32(0)
  if isinstance(plain.actions, Continuous):
    action = jnp.full(plain.actions.size, 0.5)

  def second(env, factors=None):
    """What is seen after 20 steps from the same start."""
    state, _ = env.reset(KEY, env.init(KEY))
    if factors is not None:
      inner = state.inner._replace(factors=jnp.asarray(factors))
      state = state._replace(inner=inner)
    _, seen = jax.lax.scan(
      lambda s, _: env.step(KEY, s, action), state, None, 20
    )
    return seen.observation

  base_line = second(plain)
  for constant in registry._ENTRIES[name].physics:
    env = registry.make(name, vary=(constant,), vary_factor=1000.0)
    assert env.observation_shape == plain.observation_shape
    np.testing.assert_allclose(
      second(env, [1.0]), base_line, rtol=1e-5, atol=1e-6
    )
    for factor in (0.5, 2.0) if constant != 'friction' else (1e3,):
      assert abs(second(env, [factor]) - base_line).max() > 1e-4, constant


def test_a_doubled_mass_is_the_heavier_pendulum():
  """Factors multiply the constants that they name, and no other."""
  system = pendulum.make()
  env = varying.vary(system, ('mass', 'gravity'), 4.0)
  state = env.init(KEY)._replace(factors=jnp.array([2.0, 3.0]))
  _, timestep = env.step(KEY, state, jnp.array([0.3]))
  heavy = pendulum.Physics(gravity=30.0, length=1.0, mass=2.0)
  after, reward, _ = system.advance(heavy, state.inner, jnp.array([0.3]))
  np.testing.assert_allclose(
    timestep.observation, system.observe(after), rtol=1e-6
  )
  assert timestep.reward == reward


def test_factors_are_uniform_in_their_logarithm():
  env = varying.vary(pendulum.make(), ('mass', 'length'), 4.0)
  keys = jax.random.split(KEY, 4000)
  first = jax.vmap(env.init)(keys)
  later = jax.vmap(env.switch)(keys, first)
  for factors in (first.factors, later.factors):
    logs = np.log2(np.asarray(factors))
    assert -2 <= logs.min() < -1.99 and 1.99 < logs.max() <= 2
    np.testing.assert_allclose(logs.mean(0), 0, atol=0.1)
    np.testing.assert_allclose(logs.std(0), 4 / 12**0.5, rtol=0.05)
    assert abs(np.corrcoef(logs.T)[0, 1]) < 0.06


def test_a_task_lasts_until_the_switch():
  env = registry.make('cartpole', vary=('length',))
  state, _ = env.reset(KEY, env.init(KEY))
  task = state.inner.factors
  for i in range(3):
    state, _ = env.step(KEY, state, 0)
    state, _ = env.reset(jax.random.PRNGKey(i), state)
    np.testing.assert_array_equal(state.inner.factors, task)
  switched = env.switch(jax.random.PRNGKey(7), state)
  assert (switched.inner.factors != task).all()


def test_a_gradual_task_moves_between_episodes():
  """Evenly in logarithms, from one draw to the next, and none is skipped."""
  env = varying.vary(pendulum.make(), ('mass', 'length'), 4.0, gradual_steps=8)
  state = env.init(KEY)
  before, after = state.change.before, state.change.after
  assert (before != after).all()
  for steps in range(0, 9, 2):
    state, first = env.reset(KEY, state)
    assert first.step_type == base.FIRST
    share = steps / 8
    expected = np.exp((1 - share) * before + share * after)
    np.testing.assert_allclose(state.factors, expected, rtol=1e-5)
    for _ in range(2):  # Within an episode nothing changes.
      state, _ = env.step(KEY, state, jnp.zeros(1))
      np.testing.assert_allclose(state.factors, expected, rtol=1e-5)
  switched = env.switch(jax.random.PRNGKey(3), state)
  np.testing.assert_allclose(switched.factors, np.exp(after), rtol=1e-5)
  assert (switched.change.after != after).all()


def test_the_suite_s_limit_stays():
  env = registry.make('cartpole_swingup', vary=('mass',), action_repeat=50)
  state, _ = env.reset(KEY, env.init(KEY))
  for expected in [base.MID] * 19 + [base.LAST]:
    state, timestep = env.step(KEY, state, jnp.zeros(1))
    assert timestep.step_type == expected
  assert timestep.discount == 1
  assert env.range_frames == 1000


def test_permutations_on_top():
  env = registry.make(
    'cartpole', vary=('length',), permute='inputs', permute_actions=True
  )
  state = env.init(KEY)
  switched = env.switch(jax.random.PRNGKey(1), state)
  assert (switched.inner.inner.factors != state.inner.inner.factors).all()
  assert (switched.inputs != state.inputs).any()


def test_bad_input():
  for name, vary, said in (
    ('catch', ('gravity',), 'catch has no physics.*these have: acrobot'),
    ('pendulum', ('gravty',), "constant of pendulum in vary 'gravty'.*mass"),
    ('mountain_car', ('mass',), 'valid: force, gravity'),
    ('pendulum', ('mass', 'mass'), "'mass' is named twice"),
  ):
    with pytest.raises(UserError, match=said):
      registry.make(name, vary=vary)
  with pytest.raises(UserError, match='vary_factor must be at least 1: 0.5'):
    registry.make('pendulum', vary=('mass',), vary_factor=0.5)
  with pytest.raises(UserError, match='max_episode_steps of pendulum is 0'):
    registry.make(
      'pendulum', vary=('mass',), gradual_steps=10, max_episode_steps=0
    )
