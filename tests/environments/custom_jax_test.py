"""Environments in JAX by import path: what holds for all, what is refused."""

import re

import dm_env
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from plasticity_rl.environments import base
from plasticity_rl.environments import host_registry
from plasticity_rl.environments import registry
from plasticity_rl.environments.spaces import Continuous
from plasticity_rl.errors import MissingDependencyError
from plasticity_rl.errors import UserError

STAND_INS = 'jax:tests.environments.jax_stand_ins'
KEY = jax.random.PRNGKey(0)
NAMES = (
  'Line',
  'NewLine',
  'SixLine',
  'EndlessLine',
  'CraftaxLine',
  'JaxtariLine',
  'OctaxLine',
  'BoxLine',
  'TellingWrapper',
  'with_params',
  'BraxLine',
  'LimitedBraxLine',
)


def make(name, **options):
  return registry.make(f'{STAND_INS}:{name}', **options)


def shapes(tree):
  leaves, structure = jax.tree.flatten(tree)
  return structure, [(x.shape, x.dtype, x.weak_type) for x in leaves]


@pytest.mark.parametrize('name', NAMES)
def test_all_promise_what_environments_of_the_package_do(name):
  env = make(name)
  action = jnp.int32(0)
  if isinstance(env.actions, Continuous):
    action = jnp.zeros(env.actions.size)
  state = jax.eval_shape(env.init, KEY)
  after_reset, first = jax.eval_shape(env.reset, KEY, state)
  after_step, timestep = jax.eval_shape(env.step, KEY, state, action)
  assert shapes(after_reset) == shapes(after_step) == shapes(state)
  assert shapes(timestep) == shapes(first)
  assert isinstance(first, dm_env.TimeStep)
  assert first.observation.shape == env.observation_shape
  assert first.observation.dtype == env.observation_dtype
  assert first.step_type.dtype == jnp.int32
  assert first.reward.dtype == first.discount.dtype == jnp.float32
  # None is empty: those could not be saved.
  assert all(leaf.size for leaf in jax.tree.leaves(state))
  assert env.return_range == (0, 1)
  assert env.switch is None


@pytest.mark.parametrize('name', ['Line', 'LimitedBraxLine'])
def test_under_vmap_and_scan(name):
  env = make(name)
  steps = 20

  def one(carry, key):
    state, last = carry
    action = jax.random.randint(key, (), 0, 2)
    if isinstance(env.actions, Continuous):
      action = jnp.float32(action)[None]
    state, timestep = jax.tree.map(
      lambda a, b: jnp.where(last, a, b),
      env.reset(key, state),
      env.step(key, state, action),
    )
    return (state, timestep.step_type == base.LAST), timestep

  @jax.jit
  @jax.vmap
  def play(key):
    carry = env.init(key), jnp.array(True)
    return jax.lax.scan(one, carry, jax.random.split(key, steps))[1]

  timesteps = play(jax.random.split(KEY, 4))
  types = np.asarray(timesteps.step_type)
  np.testing.assert_array_equal(
    types[:, 1:] == base.FIRST, types[:, :-1] == base.LAST
  )
  assert (types == base.LAST).any(axis=1).all()
  assert len(np.unique(timesteps.observation[:, 0, 0])) == 4


def test_options():
  env = make('Line', return_range=(-1, 2.0), max_episode_steps=2)
  assert env.return_range == (-1.0, 2.0)
  state, _ = env.reset(KEY, env.init(KEY))
  for last in (False, True):
    state, timestep = env.step(KEY, state, 0)
    assert timestep.last() == last
  assert make('Line', permute='inputs').switch is not None


@pytest.mark.parametrize(
  'what, message',
  [
    ('no step', 'makes a _NoStep, which has no method step()'),
    ('no actions', 'neither action_space() nor action_size'),
    ('unwritten', 'lacks the method step_env()'),
    ('growing', 'step() returns the observation float32[4], but reset() '),
    ('dict', 'observations must be one array, not a dict of 2 arrays'),
    ('structure', 'of another structure than reset(): it lacks .place'),
    ('type', 'step() returns float32[] at .time of the state, where reset()'),
    ('typed key', "the state holds key<fry> at ['key'], which cannot be saved"),
    ('four values', 'step_env() returned a tuple of 4; expected'),
    ('two rewards', 'the reward float32[2]; expected one number'),
    ('no reward', 'returns the reward'),
    ('no done', 'step() returned done = None; expected a boolean'),
    ('branching', 'is not made of pure functions of JAX: Attempted boolean'),
    ('multi', 'must be a Discrete or a Box, not a MultiDiscrete'),
    ('unbounded', 'actions need finite bounds'),
    ('reset alone', 'reset() returned an array of shape (2,)'),
    ('no brax state', 'step() returned a tuple of 2; expected a state'),
    ('brax dict', 'observations must be one array, not a dict of 1 arrays'),
  ],
)
def test_refused_in_a_line(what, message):
  with pytest.raises(UserError, match=re.escape(message)) as error:
    make('odd', arguments=(what,))
  assert f"environment '{STAND_INS}:odd'" in str(error.value)
  assert '\n' not in str(error.value)
  assert len(str(error.value)) < 500


@pytest.mark.parametrize(
  'name, options, message',
  [
    ('Wrapper', {}, 'makes a Wrapper around an environment that resets itself'),
    ('ResettingBraxLine', {}, 'makes a ResettingBraxLine that resets itself'),
    ('Lime', {}, "did you mean 'Line'"),
    ('Line', {'arguments': (3,)}, 'does not take config.environment.arguments'),
    (
      'Line',
      {'return_range': (1, 0)},
      'return_range must be (lowest, highest)',
    ),
    (
      'Line',
      {'parameters': (('max_steps', 3),)},
      'unknown parameter of jax:tests.environments.jax_stand_ins:Line '
      "'max_steps'; did you mean 'max_steps_in_episode'",
    ),
    ('Line', {'parameters': (3,)}, 'must be pairs (name, value), not 3'),
    ('JaxtariLine', {'parameters': (('a', 3),)}, 'has no default_params'),
    ('BraxLine', {'parameters': (('a', 3),)}, 'of the kind of gymnax'),
    ('Line', {'stack_frames': 2}, 'unknown option of jax:'),
  ],
)
def test_options_that_do_not_fit(name, options, message):
  with pytest.raises(UserError, match=re.escape(message)):
    make(name, **options)


def test_no_such_module():
  with pytest.raises(MissingDependencyError, match="no module named 'nothing'"):
    registry.make('jax:nothing:make')


def test_host_and_device_are_not_mixed_up():
  name = 'tests.environments.scripted:GymEnv'
  with pytest.raises(UserError, match="of gymnasium.*without 'jax:'"):
    registry.make(f'jax:{name}')
  name = STAND_INS.removeprefix('jax:') + ':Line'
  with pytest.raises(
    UserError, match=f"functions of JAX, name it 'jax:{name}'"
  ):
    host_registry.make(name, 1, evaluation=False)
