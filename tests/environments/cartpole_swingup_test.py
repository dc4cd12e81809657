"""Cart-pole swing-up is the suite's, within float32."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from plasticity_rl.environments import base
from plasticity_rl.environments import cartpole_swingup
from plasticity_rl.environments import registry
from plasticity_rl.environments import rendering
from plasticity_rl.errors import UserError

pytest.importorskip('dm_control', reason='dm_control is not installed')
# It chooses the renderer, for all tests of this process.
suite = rendering.load_suite()

KEY = jax.random.PRNGKey(0)


def theirs(task, qpos, qvel):
  """The suite's environment in a given state."""
  env = suite.load('cartpole', task)
  env.reset()
  with env.physics.reset_context():
    env.physics.data.qpos[:] = qpos
    env.physics.data.qvel[:] = qvel
  return env


def play(task, qpos, qvel, actions, dtype=np.float32):
  """An episode here and in the suite, from one state.

  Returns:
    Largest differences of observations and of rewards at each step, `[T, 2]`,
    and the rewards of the suite, `[T]`.
  """
  env = registry.make(f'cartpole_{task}')
  step = jax.jit(env.step)
  state, _ = env.reset(KEY, env.init(KEY))
  state = state._replace(
    inner=cartpole_swingup.State(
      *(jnp.asarray(x, dtype) for x in (*qpos, *qvel))
    )
  )
  reference = theirs(task, qpos, qvel)
  differences, rewards = [], []
  for action in actions:
    state, ours = step(KEY, state, jnp.asarray([action], dtype))
    timestep = reference.step(action)
    assert ours.discount == 1
    seen = np.concatenate([*timestep.observation.values()])
    differences.append(
      (
        np.abs(ours.observation - seen).max(),
        abs(float(ours.reward) - timestep.reward),
      )
    )
    rewards.append(timestep.reward)
  return np.array(differences), np.array(rewards)


def test_constants_are_the_model_of_the_suite():
  model = theirs('swingup', [0, 0], [0, 0]).physics.model
  physics = cartpole_swingup.Physics()
  total, moment, inertia = cartpole_swingup._inertias(physics)
  pole = model.name2id('pole_1', 'body')
  cart = model.name2id('cart', 'body')
  assert model.body_mass[pole] == pytest.approx(physics.mass)
  assert model.body_mass[cart] == pytest.approx(physics.cart_mass)
  assert total == pytest.approx(model.body_mass.sum())
  centre = model.body_ipos[pole, 2]
  assert moment == pytest.approx(physics.mass * centre)
  assert inertia == pytest.approx(
    model.body_inertia[pole, 0] + physics.mass * centre**2
  )
  assert model.opt.timestep == cartpole_swingup.DT
  assert model.opt.gravity[2] == -physics.gravity
  np.testing.assert_allclose(
    model.dof_damping,
    [
      physics.friction,
      physics.friction * cartpole_swingup._HINGE_FRICTION_SHARE,
    ],
  )


@pytest.mark.parametrize('task', ['swingup', 'swingup_sparse'])
def test_fifty_steps_equal_the_suite(task):
  """Within 1e-4 after 50 steps in float32, with random actions."""
  rng = np.random.default_rng(0)
  for _ in range(5):
    qpos = rng.uniform([-1, -np.pi], [1, np.pi])
    differences, _ = play(
      task, qpos, rng.normal(size=2), rng.uniform(-1, 1, 50)
    )
    assert differences.max() < 1e-4


def test_upright_the_sparse_reward_is_the_suite_s():
  rewards = []
  for position, angle in ((0, 0.05), (0.24, 0), (0.26, 0), (0, 0.2)):
    differences, reward = play(
      'swingup_sparse', [position, angle], [0, 0], np.zeros(3)
    )
    assert differences.max() < 1e-5
    rewards.append(reward[0])
  assert rewards == [1, 1, 0, 0]


def test_in_float64_a_whole_episode_equals_the_suite():
  """Within 1e-3, where the cart runs into both ends of the rail.

  There the suite iterates to a tolerance; before, only the observation's
  float32 differs.
  """
  rng = np.random.default_rng(1)
  actions = np.repeat(rng.choice([-1.0, 1.0], 20), 50)
  with jax.enable_x64(True):
    differences, _ = play(
      'swingup', [0, np.pi], [0.1, 0.1], actions, np.float64
    )
  assert differences.shape == (1000, 2)
  assert differences[:50].max() < 1e-6
  assert differences.max() < 1e-3


def test_the_rail_ends():
  """A push to the side ends near 1.8 m, on either side."""
  for push in (-1.0, 1.0):
    differences, _ = play('swingup', [1.7 * push, np.pi], [0, 0], [push] * 50)
    assert differences.max() < 1e-4
    env = registry.make('cartpole_swingup')
    state, _ = env.reset(KEY, env.init(KEY))
    for _ in range(200):
      state, timestep = env.step(KEY, state, jnp.array([push]))
    assert 1.75 < push * timestep.observation[0] < 1.95


def test_starts_as_the_suite():
  env = registry.make('cartpole_swingup')
  keys = jax.random.split(KEY, 2000)
  play_one = jax.vmap(lambda key: env.reset(key, env.init(key))[1].observation)
  x, cos, sin, *velocities = np.asarray(play_one(keys)).T
  assert (cos < -0.99).all()
  for normal in (x, sin, *velocities):
    assert abs(normal.mean()) < 0.001
    assert normal.std() == pytest.approx(0.01, rel=0.1)


def test_action_repeat_sums_rewards_and_shortens_the_episode():
  one = registry.make('cartpole_swingup')
  four = registry.make('cartpole_swingup', action_repeat=4)
  assert (one.frames_per_step, four.frames_per_step) == (1, 4)
  assert one.range_frames == four.range_frames == 1000
  assert one.return_range == four.return_range == (0, 1000)
  state, _ = one.reset(KEY, one.init(KEY))
  fast, _ = four.reset(KEY, four.init(KEY))
  action, total = jnp.array([0.7]), 0.0
  for _ in range(4):
    state, slow = one.step(KEY, state, action)
    total += slow.reward
  _, quick = four.step(KEY, fast, action)
  np.testing.assert_allclose(quick.observation, slow.observation, rtol=1e-6)
  np.testing.assert_allclose(quick.reward, total, rtol=1e-6)
  for env, steps in ((one, 1000), (four, 250)):
    state, _ = env.reset(KEY, env.init(KEY))
    _, steps_taken = jax.lax.scan(
      lambda s, _, env=env: env.step(KEY, s, action), state, None, steps
    )
    types = np.asarray(steps_taken.step_type)
    assert (types[:-1] == base.MID).all() and types[-1] == base.LAST
    assert (steps_taken.discount == 1).all()


@pytest.mark.parametrize('repeat', [0, 3, 2.0, True])
def test_an_action_repeat_that_does_not_fit_is_refused(repeat):
  with pytest.raises(UserError, match='action_repeat must be a divisor'):
    registry.make('cartpole_swingup', action_repeat=repeat)
