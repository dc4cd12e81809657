"""The settings of a replay on the host, and the memory that it needs."""

import dataclasses
import json
from typing import Any

import numpy as np

from plasticity_rl.environments.spaces import Spaces
from plasticity_rl.errors import UserError
from plasticity_rl.replay import memory
from plasticity_rl.replay import stacking
from plasticity_rl.replay.device_ring import Row

# A chunk is 1/64 of the replay and at most this large: a copy duplicates the
# chunk that is being filled, and old frames are deleted chunk by chunk.
_CHUNK_PARTS, _CHUNK_BYTES = 64, 2 * 2**20
# Frames compressed together, which is also the fewest in a chunk. More frames
# compress better and take longer to read.
_FEW_FRAMES = 8
# The estimate of memory assumes this. Under random play, the frames of six
# Atari games were compressed to 1/12 (the worst, Battle Zone) to 1/60.
_COMPRESSED_TO = 1 / 8
# An episode has one more observation than transitions, and the first one may
# be filled with frames of another kind: two frames in 200 steps.
_EXTRA_FRAMES = 0.01
# Of the Python object of a chunk and its entry in a dict.
_OBJECT_BYTES = 200


@dataclasses.dataclass(frozen=True)
class HostReplaySpec:
  """Static settings of a `HostRing`.

  Attributes:
    capacity: transitions, over all environments; divided equally between them
      and rounded down.
    num_envs: E.
    spaces: of each environment.
    discount: gamma.
    n_step: rewards summed in a transition.
    stack: frames that the last axis of an observation holds, newest last.
    compress: whether frames are compressed, without loss.

  Raises:
    UserError: a number is out of range, or the settings do not fit together.
  """

  capacity: int
  num_envs: int
  spaces: Spaces
  discount: float
  n_step: int = 1
  stack: int = 1
  compress: bool = False

  def __post_init__(self) -> None:
    for name in ('capacity', 'num_envs', 'n_step', 'stack'):
      value = getattr(self, name)
      if not isinstance(value, int) or value < 1:
        raise UserError(f'replay: {name}={value} is not a positive integer')
    if not 0 <= self.discount <= 1:
      raise UserError(f'replay: discount={self.discount} is not in [0, 1]')
    if self.num_rows < self.n_step:
      raise UserError(
        f'replay: capacity={self.capacity} is less than the '
        f'{self.n_step * self.num_envs} of n_step={self.n_step} in each of '
        f'{self.num_envs} environments'
      )
    shape = self.spaces.observation_shape
    if self.stack > 1 and (not shape or shape[-1] % self.stack):
      raise UserError(
        f'replay: the last axis of observations {shape} does not hold '
        f'stack={self.stack} frames'
      )

  @property
  def num_rows(self) -> int:
    """R: transitions kept of each environment."""
    return self.capacity // self.num_envs

  @property
  def frame_shape(self) -> tuple[int, ...]:
    """Shape of a frame: the observation's, with its last axis divided by k."""
    shape = tuple(self.spaces.observation_shape)
    if self.stack == 1:
      return shape
    return (*shape[:-1], shape[-1] // self.stack)

  @property
  def frame_bytes(self) -> int:
    """Bytes of an uncompressed frame."""
    dtype = np.dtype(self.spaces.observation_dtype)
    return int(np.prod(self.frame_shape)) * dtype.itemsize

  @property
  def action(self) -> tuple[tuple[int, ...], np.dtype]:
    """Shape and dtype of one action."""
    actions = self.spaces.actions
    return actions.shape, np.dtype(actions.dtype)

  @property
  def chunk_frames(self) -> int:
    """Frames in a chunk of the store."""
    if self.compress:
      return _FEW_FRAMES
    part = self.capacity * self.frame_bytes // _CHUNK_PARTS
    return max(_FEW_FRAMES, min(part, _CHUNK_BYTES) // self.frame_bytes)

  def checked(self, row: Row) -> Row:
    """A step of every environment, with contiguous observations.

    Args:
      row: arrays `[E, ...]`.

    Raises:
      UserError: the arrays do not fit the spaces, or the observations are not
        stacks of frames.
    """
    observation = (
      tuple(self.spaces.observation_shape),
      np.dtype(self.spaces.observation_dtype),
    )
    expected = {
      's_tm1': observation,
      'a_tm1': self.action,
      'r_t': ((), None),
      'discount_t': ((), None),
      's_t': observation,
      'last': ((), bool),
    }
    for name, (shape, dtype) in expected.items():
      x, shape = getattr(row, name), (self.num_envs, *shape)
      if x.shape != shape or dtype not in (None, x.dtype):
        raise UserError(
          f'replay: {name} is {x.dtype}{list(x.shape)}, expected '
          f'{np.dtype(dtype or np.float32)}{list(shape)}'
        )
    s_tm1, s_t = map(np.ascontiguousarray, (row.s_tm1, row.s_t))
    if not stacking.is_next(s_tm1, s_t, self.stack):
      raise UserError(
        f'replay: observations are not stacks of {self.stack} frames '
        'along the last axis, newest last, each with one frame more than '
        'the one before; store them with stack=1'
      )
    return row._replace(s_tm1=s_tm1, s_t=s_t)

  def describe(self) -> dict[str, Any]:
    """The settings as JSON values, to compare with those of a file."""
    spaces = self.spaces
    described = {
      **dataclasses.asdict(self),
      'spaces': {
        'observation_shape': tuple(spaces.observation_shape),
        'observation_dtype': str(np.dtype(spaces.observation_dtype)),
        'actions': repr(spaces.actions),
      },
    }
    return json.loads(json.dumps(described))


def bytes_needed(settings: HostReplaySpec) -> int:
  """Estimates the bytes of a full ring.

  The estimate is exact except for two assumptions. First, an episode has at
  least 200 transitions, and two frames more than transitions. (It has one more
  if the environment fills the first stack with copies, and up to `stack` more
  if with different images.) Second, with `compress`, uint8 frames take an
  eighth of their size, which is half as much again as in the worst of six Atari
  games; frames of other dtypes are counted in full.
  """
  transition, fixed = _costs(settings)
  return fixed + int(settings.num_rows * settings.num_envs * transition)


def check_fits(settings: HostReplaySpec, available: int) -> None:
  """Refuses a replay that needs more than `available` bytes.

  Raises:
    MissingDependencyError: it does not fit; the message has the largest
      capacity that does.
  """
  transition, fixed = _costs(settings)
  memory.check(
    settings.capacity,
    available,
    transition=transition,
    fixed=fixed,
    multiple=settings.num_envs,
    hint='' if settings.compress else ', or compress it',
  )


def _costs(settings):
  """Bytes of each transition, and bytes that do not depend on the capacity."""
  chunk = settings.chunk_frames * settings.frame_bytes
  frame, chunks = settings.frame_bytes, 2
  if settings.compress:
    chunks *= settings.num_envs
    if settings.spaces.observation_dtype == np.uint8:
      frame *= _COMPRESSED_TO
  frame += _OBJECT_BYTES / settings.chunk_frames
  shape, dtype = settings.action
  # Reward, discount, end, and the slots of its frames.
  beside = 4 + 4 + 1 + 4 * (settings.stack + 1)
  beside += int(np.prod(shape)) * dtype.itemsize
  return frame * (1 + _EXTRA_FRAMES) + beside, chunks * chunk
