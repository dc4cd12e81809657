"""Environments by name, and what all of them promise."""

import subprocess
import sys

import dm_env
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from plasticity_rl.environments import base
from plasticity_rl.environments import registry
from plasticity_rl.environments import time_limit
from plasticity_rl.environments.spaces import Continuous
from plasticity_rl.errors import UserError

KEY = jax.random.PRNGKey(0)
CASES = [(name, {}) for name in registry.DEVICE_NAMES] + [
  ('catch', {'permute': 'inputs', 'permute_actions': True}),
  (
    'minatar_breakout',
    {
      'permute': 'channels',
      'permute_actions': True,
      'max_episode_steps': 5,
      'sticky_action_prob': 0.0,
    },
  ),
  (
    'catch',
    {'permute': 'inputs', 'permute_actions': True, 'gradual_steps': 20},
  ),
  ('pendulum', {'vary': ('gravity', 'mass'), 'gradual_steps': 20}),
  ('cartpole_swingup', {'vary': ('length',), 'action_repeat': 4}),
]
PARAMS = [
  pytest.param(
    case,
    id='-'.join([case[0], *case[1]]),
    # Some seconds to compile.
    marks=pytest.mark.slow
    if case[0] in ('minatar_seaquest', 'minatar_sequence')
    else (),
  )
  for case in CASES
]


@pytest.fixture(name='env', params=PARAMS, scope='module')
def fixture_env(request):
  name, options = request.param
  if name.startswith('minatar'):
    pytest.importorskip('pgx', reason='pgx is not installed')
  return registry.make(name, **options)


def some_action(env):
  if isinstance(env.actions, Continuous):
    return jnp.zeros(env.actions.size)
  return jnp.int32(0)


def shapes(tree):
  """Structure, shapes, dtypes and weak types: what a scan's carry must keep."""
  leaves, structure = jax.tree.flatten(tree)
  return structure, [(x.shape, x.dtype, x.weak_type) for x in leaves]


def test_state_never_changes_its_structure(env):
  state = jax.eval_shape(env.init, KEY)
  after_reset, first = jax.eval_shape(env.reset, KEY, state)
  after_step, timestep = jax.eval_shape(env.step, KEY, state, some_action(env))
  assert shapes(after_reset) == shapes(state)
  assert shapes(after_step) == shapes(state)
  assert shapes(timestep) == shapes(first)
  if env.switch is not None:
    assert shapes(jax.eval_shape(env.switch, KEY, state)) == shapes(state)


def test_timesteps_are_as_declared(env):
  state = jax.eval_shape(env.init, KEY)
  _, first = jax.eval_shape(env.reset, KEY, state)
  assert isinstance(first, dm_env.TimeStep)
  assert first.observation.shape == env.observation_shape
  assert first.observation.dtype == env.observation_dtype
  assert first.step_type.dtype == jnp.int32
  assert first.reward.dtype == first.discount.dtype == jnp.float32
  assert first.step_type.shape == first.reward.shape == first.discount.shape
  low, high = env.return_range
  assert low < high


def test_a_cut_takes_its_share_of_the_range(env):
  """But in Catch, where all reward comes at the end."""
  low, high = env.return_range
  cut = time_limit.time_limit(env, 3)
  if env.name == 'catch':
    assert env.range_frames == 0 and cut.return_range == (low, high)
    return
  share = 3 * env.frames_per_step / env.range_frames
  assert cut.return_range == pytest.approx((low * share, high * share))
  assert cut.range_frames == 3 * env.frames_per_step
  uncut = time_limit.time_limit(env, env.range_frames // env.frames_per_step)
  assert uncut.return_range == (low, high)


def test_runs_under_jit_vmap_and_scan(env):
  """A random player, reset by the caller where an episode ended."""
  steps = 60

  def one(carry, inputs):
    state, last = carry
    key, action = inputs
    reset_or_step = env.reset(key, state), env.step(key, state, action)
    state, timestep = jax.tree.map(
      lambda a, b: jnp.where(last, a, b), *reset_or_step
    )
    return (state, timestep.step_type == base.LAST), timestep

  @jax.jit
  @jax.vmap
  def play(keys, actions):
    carry = env.init(keys[0]), jnp.array(True)  # Starts with a reset.
    return jax.lax.scan(one, carry, (keys, actions))[1]

  rng = np.random.default_rng(0)
  keys = rng.integers(2**32, size=(8, steps, 2), dtype=np.uint32)
  if isinstance(env.actions, Continuous):
    actions = rng.uniform(-1, 1, (8, steps, env.actions.size))
    actions = actions.astype(np.float32)
  else:
    count = env.actions.num_actions
    actions = rng.integers(count, size=(8, steps), dtype=np.int32)
  timesteps = jax.device_get(play(keys, actions))
  shape = env.observation_shape
  assert timesteps.observation.shape == (8, steps, *shape)
  types = timesteps.step_type
  assert (types[:, 0] == base.FIRST).all()
  assert set(np.unique(types)) <= {base.FIRST, base.MID, base.LAST}
  # FIRST comes after LAST, at the start, and nowhere else.
  np.testing.assert_array_equal(
    types[:, 1:] == base.FIRST, types[:, :-1] == base.LAST
  )
  # A discount of zero is the end of an episode.
  assert (types[timesteps.discount == 0] == base.LAST).all()
  assert set(np.unique(timesteps.discount)) <= {0.0, 1.0}
  flat = timesteps.observation.reshape(8 * steps, -1)
  assert len(np.unique(flat, axis=0)) > 3


def test_options_reach_the_environment():
  env = registry.make('catch', rows=6, columns=4, max_episode_steps=3)
  assert env.name == 'catch' and env.observation_shape == (6, 4)
  state, _ = env.reset(KEY, env.init(KEY))
  for expected in (base.MID, base.MID, base.LAST):
    state, timestep = env.step(KEY, state, 1)
    assert timestep.step_type == expected
  assert timestep.discount == 1  # It would have gone on for 2 steps.
  assert env.switch is None
  assert registry.make('catch', permute_actions=True).switch is not None
  assert registry.make('catch', permute='inputs').switch is not None


def test_table_of_options():
  assert registry.OPTIONS['catch'] == {
    'rows': 10,
    'columns': 5,
    'permute': 'none',
    'permute_actions': False,
    'vary': (),
    'vary_factor': 2.0,
    'max_episode_steps': 0,
  }
  assert set(registry.OPTIONS) == set(registry.NAMES)
  for name in registry.DEVICE_NAMES:
    if name.startswith('minatar'):
      assert registry.OPTIONS[name]['sticky_action_prob'] == 0.1
  limits = {
    'acrobot': 500,
    'cartpole': 500,
    'cartpole_swingup': 0,  # The limit of the suite belongs to the task.
    'mountain_car': 200,
    'mountain_car_continuous': 999,
    'pendulum': 200,
    'pendulum_pixels': 200,
  }
  for name, limit in limits.items():
    assert registry.OPTIONS[name]['max_episode_steps'] == limit


def test_unknown_name_and_option():
  with pytest.raises(UserError, match="did you mean 'minatar_breakout'"):
    registry.make('minatar_braekout')
  with pytest.raises(UserError, match='valid: acrobot, cartpole'):
    registry.make('zzz')
  with pytest.raises(UserError, match=r"option of catch 'row'.*'rows'"):
    registry.make('catch', row=5)
  with pytest.raises(UserError, match='valid: columns, max_episode_steps'):
    registry.make('catch', sticky_action_prob=0.1)
  with pytest.raises(UserError, match='none, inputs, channels'):
    registry.make('catch', permute='pixels')
  with pytest.raises(UserError, match='max_episode_steps must be'):
    registry.make('catch', max_episode_steps=-1)


def test_names_cost_no_heavy_import():
  code = (
    'import sys; from plasticity_rl.environments import registry\n'
    'print([m for m in ("jax", "numpy", "dm_env") if m in sys.modules])'
  )
  result = subprocess.run(
    [sys.executable, '-c', code], capture_output=True, text=True, check=True
  )
  assert result.stdout.strip() == '[]'
