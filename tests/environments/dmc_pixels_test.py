"""The Control Suite from pictures, and what draws them."""

import subprocess
import sys

import numpy as np
import pytest

from plasticity_rl.environments import host_registry
from plasticity_rl.environments import rendering
from plasticity_rl.errors import UserError

pytest.importorskip('dm_control', reason='dm_control is not installed')

needs_gl = pytest.mark.skipif(
  rendering.choose_backend() == 'disable',
  reason='no OpenGL; on Debian: apt-get install libegl1 libgl1-mesa-dri',
)


def make(task, num_envs=1, **options):
  return host_registry.make(
    f'dmc_pixels_{task}', num_envs, evaluation=False, **options
  )


def play(envs, steps, seed=0):
  rng = np.random.default_rng(seed)
  size = envs.num_envs, envs.spaces.actions.size
  actions = rng.uniform(-1, 1, (steps, *size)).astype(np.float32)
  return [envs.step(a) for a in actions]


@pytest.fixture(name='envs')
def fixture_envs():
  """Makes environments, and closes them."""
  made = []

  def factory(*arguments, **options):
    made.append(make(*arguments, **options))
    return made[-1]

  yield factory
  for envs in made:
    envs.close()


@needs_gl
def test_stacks_of_pictures(envs):
  pixels = envs('cartpole_swingup', 2, max_episode_steps=4)
  assert pixels.spaces.observation_shape == (84, 84, 9)
  assert pixels.spaces.observation_dtype == np.uint8
  assert pixels.frames_per_step == 8
  first = pixels.begin(np.array([1, 2], np.uint32))
  assert first.shape == (2, 84, 84, 9) and first.dtype == np.uint8
  assert (first[0] != first[1]).any()
  before = first
  for t, step in enumerate(play(pixels, 6), 1):
    np.testing.assert_array_equal(step.observation[..., :-3], before[..., 3:])
    before = step.next_observation
    if t == 4:
      assert step.last.all() and (step.discount == 1).all()
    if t in (0, 4):
      for k in (0, 3):
        np.testing.assert_array_equal(before[..., k : k + 3], before[..., 6:])
  assert (before[..., :3] != before[..., 6:]).any()


@pytest.mark.slow
@needs_gl
@pytest.mark.parametrize(
  ('task', 'camera'), [('reacher_hard', 0), ('quadruped_run', 2)]
)
def test_pictures_are_the_suites(envs, task, camera):
  """To the bit, though the framebuffer is smaller; with red first."""
  domain, name = host_registry.SUITE_TASKS[task]
  suite = rendering.load_suite()
  env = suite.load(domain, name, task_kwargs={'random': 5})
  env.reset()
  pixels = envs(task, size=48, action_repeat=2, fast_rendering='off')
  first = pixels.begin(np.array([5], np.uint32))
  shown = env.physics.render(48, 48, camera_id=camera)
  np.testing.assert_array_equal(first[0, ..., -3:], shown)
  highest = env.action_spec().maximum
  step = pixels.step(np.ones((1, highest.size), np.float32))
  rewards = [env.step(highest).reward for _ in range(2)]
  shown = env.physics.render(48, 48, camera_id=camera)
  np.testing.assert_array_equal(step.observation[0, ..., -3:], shown)
  np.testing.assert_allclose(step.reward, [sum(rewards)], rtol=1e-6)
  env.physics.free()


@pytest.mark.slow
@needs_gl
def test_a_copy_goes_on_to_the_bit(envs):
  options = {'size': 32, 'max_episode_steps': 5, 'fast_rendering': 'on'}
  original, copy = (envs('reacher_easy', 2, **options) for _ in range(2))
  original.begin(np.array([1, 2], np.uint32))
  play(original, 7)
  saved = original.get_state()
  expected = play(original, 8, seed=1)
  copy.set_state(saved)
  for row, other in zip(expected, play(copy, 8, seed=1), strict=True):
    for a, b in zip(row, other, strict=True):
      np.testing.assert_array_equal(a, b)


@needs_gl
def test_fast_rendering_is_for_processors(envs, monkeypatch):
  def first(mode):
    pixels = envs('cheetah_run', fast_rendering=mode)
    return pixels.begin(np.array([1], np.uint32)).astype(int)

  fast, plain = first('on'), first('off')
  difference = np.abs(fast - plain)
  assert 0 < difference.mean() < 5  # The same scene without shadows.
  monkeypatch.setattr(rendering, 'is_software', lambda: True)
  np.testing.assert_array_equal(first('auto'), fast)
  monkeypatch.setattr(rendering, 'is_software', lambda: False)
  np.testing.assert_array_equal(first('auto'), plain)


@needs_gl
@pytest.mark.parametrize('name', ['llvmpipe (LLVM 15.0.6)', 'softpipe'])
def test_software_is_known_by_name(monkeypatch, name):
  monkeypatch.setattr(rendering, 'gl_name', lambda: name)
  assert rendering.is_software()
  monkeypatch.setattr(rendering, 'gl_name', lambda: 'NVIDIA A100-SXM4/PCIe')
  assert not rendering.is_software()


@needs_gl
def test_a_camera_that_is_not_there():
  with pytest.raises(UserError, match='camera 7.*cameras 0 to 1, and -1'):
    make('cheetah_run', camera=7)


def test_the_choice_of_a_renderer(monkeypatch):
  def missing(*names):
    real = rendering.ctypes.CDLL

    def load(name, *arguments):
      if name.startswith(names):
        raise OSError(name)
      return real(name, *arguments)

    monkeypatch.setattr(rendering.ctypes, 'CDLL', load)

  missing('libEGL')
  assert not rendering.egl_works()
  monkeypatch.setattr(rendering, 'osmesa_works', lambda: True)
  assert rendering.choose_backend() == 'osmesa'
  monkeypatch.undo()
  missing('libOSMesa')
  assert not rendering.osmesa_works()
  monkeypatch.setattr(rendering, 'egl_works', lambda: True)
  assert rendering.choose_backend() == 'egl'
  monkeypatch.setattr(rendering, 'egl_works', lambda: False)
  assert rendering.choose_backend() == 'disable'


@needs_gl
def test_looking_for_a_renderer_leaves_the_one_that_is_there(envs):
  envs('reacher_easy', size=8)
  rendering.choose_backend()
  pictures = envs('reacher_easy', size=8).begin(np.arange(1, dtype=np.uint32))
  assert pictures.std() > 0


def test_missing_libraries_are_named(monkeypatch):
  rendering.load_suite()
  from dm_control import _render

  monkeypatch.setattr(_render, 'Renderer', _render._no_renderer())
  monkeypatch.setattr(rendering, 'choose_backend', lambda: 'disable')
  with pytest.raises(UserError, match='libegl1.*libosmesa6'):
    make('cheetah_run')
  monkeypatch.setattr(rendering, 'choose_backend', lambda: 'egl')
  monkeypatch.setenv('MUJOCO_GL', 'off')
  with pytest.raises(UserError, match='MUJOCO_GL=off; unset it'):
    make('cheetah_run')


def run(code, **environment):
  return subprocess.run(
    [sys.executable, '-W', 'error', '-c', code],
    capture_output=True,
    text=True,
    env={'PATH': '', **environment},
    timeout=120,
  )


MAKE = """
import numpy as np
from plasticity_rl.environments import host_registry as h
def begin(name):
  envs = h.make(name, 1, evaluation=False)
  return envs.begin(np.zeros(1, np.uint32)).shape
"""


@pytest.mark.slow
@pytest.mark.parametrize('backend', ['egl', 'osmesa', ''])
def test_a_process_ends_quietly(backend):
  """Also if nothing was closed; and MUJOCO_GL is respected."""
  if backend and not getattr(rendering, f'{backend}_works')():
    package = {'egl': 'libegl1', 'osmesa': 'libosmesa6'}[backend]
    pytest.skip(f'no {backend}; on Debian: apt-get install {package}')
  if not backend and rendering.choose_backend() == 'disable':
    pytest.skip('no OpenGL; on Debian: apt-get install libegl1')
  code = MAKE + (
    "print(begin('dmc_cheetah_run'), begin('dmc_pixels_cheetah_run'))\n"
    'from dm_control import _render; print(_render.BACKEND)'
  )
  done = run(code, **({'MUJOCO_GL': backend} if backend else {}))
  assert done.returncode == 0, done.stderr
  chosen = backend or rendering.choose_backend()
  assert done.stdout.split('\n')[:2] == ['(1, 17) (1, 84, 84, 9)', chosen]
  assert done.stderr == ''


@pytest.mark.slow
def test_a_setting_that_cannot_be():
  code = MAKE + "begin('dmc_cheetah_run')"
  done = run(code, MUJOCO_GL='elg')
  assert done.returncode == 1
  message = done.stderr.splitlines()[-1]
  assert 'UserError: MUJOCO_GL=elg cannot be used here' in message
