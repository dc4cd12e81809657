"""Pictures: of boards as they are played, and of control problems."""

import math
import types

import jax
import numpy as np
import pytest

from plasticity_rl.environments import acrobot
from plasticity_rl.environments import pendulum_pixels
from plasticity_rl.environments import registry
from plasticity_rl.errors import UserError
from plasticity_rl.videos import pictures
from plasticity_rl.videos import scenes


def task(name, permute='none'):
  return types.SimpleNamespace(name=name, permute=permute)


def played(env, actions):
  """States and observations of an episode, in numpy."""
  state, timestep = env.reset(jax.random.PRNGKey(1), env.init(_key(0)))
  found = [(state, timestep.observation)]
  for t, action in enumerate(actions):
    state, timestep = env.step(_key(t), state, np.int32(action))
    found.append((state, timestep.observation))
  return jax.device_get(found)


def _key(number):
  return jax.random.PRNGKey(number)


@pytest.mark.parametrize('permute', ('none', 'inputs'))
def test_a_board_is_that_of_the_game_not_of_the_task(permute):
  env = registry.make('catch', permute=permute, permute_actions=True)
  paint = pictures.painter(
    task('catch', permute), env.observation_shape, env.observation_dtype
  )
  for row, (state, seen) in enumerate(played(env, [0, 0, 0])):
    picture = paint(state, seen)
    assert picture.shape == (160, 80, 3)
    cells = (picture[8::16, 8::16] != pictures._BACKGROUND).any(-1)
    ball = pictures.innermost(state)
    expected = np.zeros((10, 5), bool)
    expected[row, ball.ball_column] = expected[9, ball.paddle_column] = True
    np.testing.assert_array_equal(cells, expected)


@pytest.mark.parametrize('permute', ('inputs', 'channels'))
def test_permuted_games_of_minatar(permute):
  plain = registry.make('minatar_breakout')
  env = registry.make('minatar_breakout', permute=permute)
  shown = []
  for one, kind in ((plain, 'none'), (env, permute)):
    paint = pictures.painter(
      task('minatar_breakout', kind),
      one.observation_shape,
      one.observation_dtype,
    )
    shown.append([paint(*x) for x in played(one, [0, 1, 2])])
  # Both play the same game, of which the task hides what is where.
  np.testing.assert_array_equal(*shown)
  assert len(np.unique(shown[0][-1].reshape(-1, 3), axis=0)) >= 4


def test_every_channel_has_its_colour():
  board = np.eye(10, dtype=bool)[None]  # One row: cell i is of channel i.
  picture = pictures.board(board)
  assert len(np.unique(picture.reshape(-1, 3), axis=0)) == 10


@pytest.mark.parametrize('theta', (0.0, 1.0, 2.5, -2.0))
def test_the_pendulum_is_where_its_pixels_are(theta):
  state = types.SimpleNamespace(theta=theta)
  drawn = scenes.draw(scenes.SCENES['pendulum'](state))
  dark = 255 - drawn[..., 0].astype(float)
  pixels = np.asarray(pendulum_pixels.draw(theta, scenes.SIZE)).astype(float)
  assert np.corrcoef(dark.ravel(), pixels.ravel())[0, 1] > 0.9


def test_acrobot_reaches_the_line_where_the_episode_ends():
  rng = np.random.default_rng(0)
  for first, second in rng.uniform(-math.pi, math.pi, (20, 2)):
    scene = scenes.SCENES['acrobot'](acrobot.State(first, second, 0, 0))
    (line, _, _), _, ((_, end), _, _) = scene.lines
    height = -math.cos(first) - math.cos(first + second)
    assert (end[1] > line[0][1]) == (height > 1)


@pytest.mark.parametrize('name', scenes.SCENES)
def test_every_control_problem_is_drawn(name):
  env = registry.make(name)
  paint = pictures.painter(
    task(name), env.observation_shape, env.observation_dtype
  )
  push = 1 if env.actions.shape else 0  # To the right, or to the left.
  action = np.full(env.actions.shape, push, env.actions.dtype)
  state, timestep = env.reset(_key(1), env.init(_key(0)))
  before = paint(*jax.device_get((state, timestep.observation)))
  step = jax.jit(env.step)
  for t in range(25):
    state, timestep = step(_key(t), state, action)
  after = paint(*jax.device_get((state, timestep.observation)))
  assert before.dtype == np.uint8 and max(before.shape) == scenes.SIZE
  assert before.shape == after.shape
  assert (before != after).mean() > 0.002  # Something has moved.


def test_every_control_problem_has_a_scene():
  known = {name for name in registry.DEVICE_NAMES if registry.physics(name)}
  assert {*scenes.SCENES} == known


def test_pixels_are_the_newest_frame():
  rng = np.random.default_rng(0)
  stack = rng.integers(0, 256, (84, 84, 9), np.uint8)
  np.testing.assert_array_equal(
    pictures.pixels(stack), pictures.enlarged(stack[..., 6:])
  )
  grey = pictures.pixels(stack[..., :4])
  for channel in range(3):
    np.testing.assert_array_equal(grey[..., channel], stack[..., 3])


@pytest.mark.parametrize(
  'name, shape, dtype',
  (
    ('dmc_walker_run', (24,), np.float32),
    ('own:env', (8, 8, 3), np.float32),
    ('own:env', (8,), np.uint8),
  ),
)
def test_what_has_no_picture(name, shape, dtype):
  with pytest.raises(UserError, match='has no picture; these have') as error:
    pictures.painter(task(name), shape, dtype)
  assert all(known in str(error.value) for known in pictures.KNOWN)
