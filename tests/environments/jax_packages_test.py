"""Packages of environments in JAX, where they are installed.

None is among the tests' requirements: `pip install gymnax` and so on. What the
adapters promise is tested on stand-ins, `jax_stand_ins.py`.
"""

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from plasticity_rl.environments import registry
from plasticity_rl.environments.spaces import Continuous
from plasticity_rl.environments.spaces import Discrete
from plasticity_rl.errors import UserError

# Of the packages' own code.
pytestmark = pytest.mark.filterwarnings('ignore')
KEY = jax.random.PRNGKey(0)


def needs(package):
  pytest.importorskip(package, reason=f'{package} is not installed')


def play(env, actions):
  """The first observation of an episode, and its time steps."""
  state, first = jax.jit(env.reset)(KEY, env.init(KEY))
  step, timesteps = jax.jit(env.step), []
  for i, action in enumerate(actions):
    state, timestep = step(jax.random.fold_in(KEY, i), state, action)
    timesteps.append(timestep)
    if timestep.last():
      break
  return first.observation, timesteps


def same(timestep, theirs):
  """A time step of ours and one of Gymnasium."""
  observation, reward, terminated, truncated, _ = theirs
  np.testing.assert_allclose(timestep.observation, observation, atol=1e-4)
  np.testing.assert_allclose(timestep.reward, reward, atol=1e-4)
  assert timestep.last() == (terminated or truncated)
  assert timestep.discount == (not terminated)


@pytest.mark.parametrize('limit', [500, 7])
def test_cart_pole_of_gymnax_is_that_of_gymnasium(limit):
  needs('gymnax')
  env = registry.make(
    'gymnax:make',
    arguments=('CartPole-v1',),
    parameters=(('max_steps_in_episode', limit),),
  )
  assert (env.actions, env.observation_shape) == (Discrete(2), (4,))
  theirs = gymnasium.make('CartPole-v1', max_episode_steps=limit)
  theirs.reset(seed=0)
  actions = np.random.default_rng(0).integers(2, size=60)
  first, timesteps = play(env, jnp.int32(actions))
  theirs.unwrapped.state = np.float64(first)
  for action, timestep in zip(actions, timesteps, strict=False):
    same(timestep, theirs.step(action))
  assert timesteps[-1].last()
  assert timesteps[-1].discount == (limit == 7)
  assert len(timesteps) == 7 or limit > 7


def test_pendulum_of_gymnax_is_that_of_gymnasium():
  needs('gymnax')
  env = registry.make('gymnax:make', arguments=('Pendulum-v1',))
  assert (env.actions, env.observation_shape) == (Continuous(1), (3,))
  theirs = gymnasium.make('Pendulum-v1')
  theirs.reset(seed=0)
  actions = np.random.default_rng(0).uniform(-1, 1, (200, 1))
  seen, timesteps = play(env, jnp.float32(actions))
  for action, timestep in zip(actions, timesteps, strict=True):
    # A pole magnifies what rounding does in many steps.
    theirs.unwrapped.state = np.array([np.arctan2(seen[1], seen[0]), seen[2]])
    same(timestep, theirs.step(np.float32(2 * action)))
    seen = timestep.observation
  assert timesteps[-1].last() and timesteps[-1].discount == 1


def test_what_gymnax_does_not_know():
  needs('gymnax')
  with pytest.raises(UserError, match='ValueError: CartPole-v9 is not in'):
    registry.make('gymnax:make', arguments=('CartPole-v9',))


def test_octax():
  needs('octax')
  env = registry.make(
    'octax.environments:create_environment', arguments=('brix',)
  )
  assert env.observation_shape == (32, 64, 4)
  _, timesteps = play(env, jnp.zeros(400, jnp.int32))
  assert timesteps[-1].last() and timesteps[-1].discount == 0
  frames = np.stack([t.observation for t in timesteps])
  assert frames.any() and len(np.unique(frames, axis=0)) > 10
  assert sum(t.reward for t in timesteps) >= 0


@pytest.mark.slow
def test_craftax():
  needs('craftax')
  env = registry.make(
    'craftax.craftax_env:make_craftax_env_from_name',
    arguments=('Craftax-Classic-Symbolic-v1', True),
    parameters=(('max_timesteps', 5),),
  )
  assert (env.actions, env.observation_shape) == (Discrete(17), (1345,))
  _, timesteps = play(env, jnp.zeros(9, jnp.int32))
  assert len(timesteps) == 5  # Its limit.
  assert timesteps[-1].last() and timesteps[-1].discount == 1


def test_brax():
  needs('brax')
  env = registry.make(
    'brax.envs:create', arguments=('inverted_pendulum', 20, 1, False)
  )
  assert (env.actions, env.observation_shape) == (Continuous(1), (4,))
  _, timesteps = play(env, jnp.ones((20, 1)))
  assert timesteps[-1].last() and timesteps[-1].discount == 0
  with pytest.raises(UserError, match='AutoResetWrapper that resets itself'):
    registry.make('brax.envs:create', arguments=('inverted_pendulum',))
  with pytest.raises(UserError, match='KeyError: pendulum'):
    registry.make('brax.envs:get_environment', arguments=('pendulum',))


def test_cartpole_swingup_of_playground():
  needs('mujoco_playground')
  env = registry.make(
    'mujoco_playground:registry.load',
    # Its default is slow on a CPU.
    arguments=('CartpoleSwingup', None, {'impl': 'jax'}),
    max_episode_steps=20,
  )
  assert (env.actions, env.observation_shape) == (Continuous(1), (5,))
  first, timesteps = play(env, jnp.ones((30, 1)))
  assert len(timesteps) == 20
  assert timesteps[-1].last() and timesteps[-1].discount == 1
  # The pole hangs down at first, and the cart goes to the right.
  np.testing.assert_allclose(first[1:3], [-1, 0], atol=0.1)
  assert timesteps[-1].observation[0] > first[0] + 0.1
  assert all(0 <= t.reward <= 1 for t in timesteps)
