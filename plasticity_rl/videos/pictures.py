"""Pictures of environments: of boards, of control problems, of pixels."""

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from plasticity_rl.environments import continual
from plasticity_rl.errors import UserError
from plasticity_rl.videos import scenes

# `(state, observation) -> picture`, uint8 `[H, W, 3]`; all in numpy. On the
# host there is no state.
Painter = Callable[[Any, np.ndarray], np.ndarray]

# Of a channel of a board each; a later one is drawn over those before it.
_COLORS = np.array(
  [
    (86, 180, 233),
    (230, 159, 0),
    (0, 158, 115),
    (240, 228, 66),
    (204, 121, 167),
    (213, 94, 0),
    (0, 114, 178),
    (220, 220, 220),
    (150, 110, 70),
    (140, 220, 140),
  ],
  np.uint8,
)
_BACKGROUND = (24, 26, 32)
_PIXELS = 'any observed as uint8 [H, W, C]'
KNOWN = (
  'catch',
  'minatar_GAME',
  *scenes.SCENES,
  'atari_GAME',
  'dmc_pixels_DOMAIN_TASK',
)


class Task(Protocol):
  """What of the settings of an environment says how it looks."""

  name: str
  permute: str


def painter(task: Task, shape: tuple[int, ...], dtype: Any) -> Painter:
  """What draws an environment.

  Args:
    task: the settings of the environment.
    shape: of an observation.
    dtype: of an observation.

  Raises:
    UserError: it has no picture; the message names those that do.
  """
  permute = getattr(task, 'permute', 'none')
  if task.name == 'catch' or task.name.startswith('minatar_'):
    return lambda state, seen: board(
      continual.as_played(permute, getattr(state, 'inputs', None), seen)
    )
  if task.name in scenes.SCENES:
    scene = scenes.SCENES[task.name]
    return lambda state, _: scenes.draw(scene(innermost(state)))
  if len(shape) == 3 and np.dtype(dtype) == np.uint8 and permute == 'none':
    return lambda _, seen: pixels(seen)
  raise no_picture(task.name)


def no_picture(name: str) -> UserError:
  """The error about an environment without a picture."""
  return UserError(
    f'{name} has no picture; these have one: {", ".join(KNOWN)}, and {_PIXELS}'
  )


def innermost(state: Any) -> Any:
  """The state of a problem inside of limits, permutations and tasks."""
  while hasattr(state, 'inner'):
    state = state.inner
  return state


def board(channels: np.ndarray) -> np.ndarray:
  """A board of cells, bool `[H, W]` or `[H, W, C]`, a colour a channel."""
  if channels.ndim == 2:
    channels = channels[..., None]
  picture = np.full((*channels.shape[:2], 3), _BACKGROUND, np.uint8)
  for i in range(channels.shape[-1]):
    picture[channels[..., i]] = _COLORS[i % len(_COLORS)]
  return enlarged(picture)


def pixels(stack: np.ndarray) -> np.ndarray:
  """The newest frame of a stack, uint8 `[H, W, C]`, in colours if it has any.

  With a multiple of three channels, the last three are red, green and blue.
  """
  newest = stack[..., -3:] if stack.shape[-1] % 3 == 0 else stack[..., -1:]
  return enlarged(np.broadcast_to(newest, (*stack.shape[:2], 3)))


def enlarged(picture: np.ndarray) -> np.ndarray:
  """A small picture with larger pixels."""
  times = max(1, scenes.SIZE // max(picture.shape[:2]))
  return picture.repeat(times, 0).repeat(times, 1)
