"""Chooses the OpenGL renderer that draws images without a screen.

MuJoCo's Python packages read the environment variable MUJOCO_GL once, when they
are imported; the renderer cannot be changed later. So only `load_suite` imports
`dm_control`, and it first chooses: the user's MUJOCO_GL, else EGL (on a GPU if
there is one), else OSMesa (software), else no renderer, which is enough to
simulate but not to draw.
"""

import contextlib
import ctypes
import functools
import logging
import os
import sys
from types import ModuleType
from typing import Any

from plasticity_rl.errors import MissingDependencyError
from plasticity_rl.errors import UserError
from plasticity_rl.errors import install_command

_NONE = 'disable'
_EGL_PLATFORM_DEVICE = 0x313F
_MAX_DEVICES = 16
_LIBRARIES = (
  'pictures need OpenGL, and neither EGL nor OSMesa can be used: install one, '
  'on Debian: apt-get install libegl1 libgl1-mesa-dri (EGL; with an NVIDIA '
  'GPU, its driver has it) or libosmesa6 (OSMesa)'
)
# Names of software renderers, as drivers report them.
_SOFTWARE = ('llvmpipe', 'softpipe', 'swrast', 'software')


def load_suite() -> ModuleType:
  """Chooses a renderer, then imports `dm_control.suite`.

  Returns:
    The module.

  Raises:
    MissingDependencyError: dm_control is not installed.
    UserError: MUJOCO_GL names a renderer that does not work here.
  """
  if 'dm_control._render' not in sys.modules:
    os.environ.setdefault('MUJOCO_GL', choose_backend())
    # Otherwise OSMesa draws in a thread of an executor, which at exit ends
    # before contexts are freed. Here, `threaded` has a thread that draws.
    os.environ.setdefault('DISABLE_RENDER_THREAD_OFFLOADING', '1')
  try:
    from dm_control import suite
  except ModuleNotFoundError as error:
    if not (error.name or '').startswith(('dm_control', 'mujoco')):
      raise
    raise MissingDependencyError(
      'the DeepMind Control Suite needs dm_control, which is not installed: '
      + install_command('dmc')
    ) from error
  # PyOpenGL raises AttributeError for a library that it cannot load.
  except (ImportError, AttributeError, RuntimeError) as error:
    raise UserError(
      f'MUJOCO_GL={os.environ["MUJOCO_GL"]} cannot be used here ({error}); '
      'unset it to have one chosen, or set it to egl, osmesa or disable'
    ) from error
  _silence_compiler()
  return suite


def choose_backend() -> str:
  """The first of 'egl', 'osmesa' and 'disable' that would work."""
  if egl_works():
    return 'egl'
  if osmesa_works():
    return 'osmesa'
  return _NONE


def egl_works() -> bool:
  """Whether some device's EGL display can be initialised."""
  # After a failed import of EGL, PyOpenGL cannot try OSMesa in the same
  # process. So EGL is tried here without PyOpenGL.
  try:
    egl = ctypes.CDLL('libEGL.so.1')
  except OSError:
    return False
  egl.eglGetProcAddress.restype = ctypes.c_void_p

  def extension(name: str, result: Any, *arguments: Any) -> Any:
    address = egl.eglGetProcAddress(name.encode())
    return address and ctypes.CFUNCTYPE(result, *arguments)(address)

  query = extension(
    'eglQueryDevicesEXT',
    ctypes.c_uint,
    ctypes.c_int,
    ctypes.POINTER(ctypes.c_void_p),
    ctypes.POINTER(ctypes.c_int),
  )
  get_display = extension(
    'eglGetPlatformDisplayEXT',
    ctypes.c_void_p,
    ctypes.c_uint,
    ctypes.c_void_p,
    ctypes.c_void_p,
  )
  if not query or not get_display:
    return False
  devices = (ctypes.c_void_p * _MAX_DEVICES)()
  number = ctypes.c_int()
  query(_MAX_DEVICES, devices, ctypes.byref(number))
  for device in devices[: number.value]:
    display = get_display(_EGL_PLATFORM_DEVICE, device, None)
    # It stays initialised: this process's renderer uses the same display.
    if display and egl.eglInitialize(ctypes.c_void_p(display), None, None):
      return True
  return False


def osmesa_works() -> bool:
  """Whether OSMesa's library can be loaded."""
  for name in ('libOSMesa.so.8', 'libOSMesa.so.6', 'libOSMesa.so'):
    with contextlib.suppress(OSError):
      ctypes.CDLL(name)
      return True
  return False


def require_renderer() -> None:
  """Checks, after `load_suite`, that images can be drawn.

  Raises:
    MissingDependencyError: no renderer works on this machine.
    UserError: mujoco was imported with its renderer turned off.
  """
  from dm_control import _render

  if _render.BACKEND is None or _render.Renderer.__name__ == 'no_renderer':
    if choose_backend() != _NONE:
      raise UserError(
        'pictures need OpenGL, which was turned off when mujoco was imported, '
        f'by MUJOCO_GL={os.environ.get("MUJOCO_GL")}; unset it'
      )
    raise MissingDependencyError(_LIBRARIES)
  try:
    gl_name()
  except Exception as error:  # A driver may raise anything.
    raise MissingDependencyError(
      f'OpenGL by {_render.BACKEND} does not work here ({error}); set '
      'MUJOCO_GL to egl or osmesa before anything imports mujoco'
    ) from error


@functools.cache
def gl_name() -> str:
  """The renderer's own name, such as 'llvmpipe (LLVM 15.0.6, 256 bits)'."""
  from dm_control import _render

  context = _render.Renderer(8, 8)
  try:
    # Not before: which library OpenGL is depends on the renderer.
    from OpenGL import GL

    with context.make_current() as current:
      return current.call(GL.glGetString, GL.GL_RENDERER).decode()
  finally:
    context.free()


def is_software() -> bool:
  """Whether a software renderer draws the images."""
  return any(word in gl_name().lower() for word in _SOFTWARE)


def _silence_compiler() -> None:
  """Drops a warning that the suite's models cause at every construction."""
  logger = logging.getLogger('absl')
  if not any(f is _is_worth_saying for f in logger.filters):
    logger.addFilter(_is_worth_saying)


def _is_worth_saying(record: logging.LogRecord) -> bool:
  return "attribute 'settotalmass' is deprecated" not in record.getMessage()
