"""From stacks of frames to frames, and back.

A stack is an observation whose last axis holds k frames of C channels each,
newest last. Batches hold frames one after the other, since to copy whole
frames is ten times as fast as to interleave them on the host; on a device,
inside jit, interleaving costs next to nothing.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from plasticity_rl.types import Transition


class FrameBatch(NamedTuple):
  """A batch of transitions whose observations are not yet stacked.

  Attributes:
    frames: `[..., F, *frame]`, oldest first. The first k are those of
      `s_tm1` and the last k those of `s_t`: F is k + 1 where all transitions
      are of one step, for then they share k - 1 frames, and 2 k otherwise.
    a_tm1: as in `Transition`.
    r_t: as in `Transition`, `[...]`.
    discount_t: as in `Transition`, `[...]`.
  """

  frames: Any
  a_tm1: Any
  r_t: Any
  discount_t: Any


def stacked(batch: FrameBatch, stack: int) -> Transition:
  """The transitions of a batch; to be called inside jit.

  Args:
    batch: any number of leading axes, `[B]` or `[U, B]`.
    stack: k, frames in an observation.
  """
  axis = batch.r_t.ndim

  def observations(begin):
    frames = jax.lax.slice_in_dim(batch.frames, begin, begin + stack, axis=axis)
    if stack == 1:
      return jnp.squeeze(frames, axis)
    frames = jnp.moveaxis(frames, axis, -2)
    return frames.reshape(*frames.shape[:-2], -1)

  return Transition(
    s_tm1=observations(0),
    a_tm1=batch.a_tm1,
    r_t=batch.r_t,
    discount_t=batch.discount_t,
    s_t=observations(batch.frames.shape[axis] - stack),
  )


def stacked_on_host(batch: FrameBatch, stack: int) -> Transition:
  """The same in numpy, as fresh contiguous arrays; for a batch `[N]`."""
  frames = batch.frames

  def observations(begin):
    if stack == 1:
      return np.ascontiguousarray(frames[:, begin])
    channels = frames.shape[-1]
    joined = np.empty(
      (len(frames), *frames.shape[2:-1], stack * channels), frames.dtype
    )
    # Frame by frame is three times as fast as one copy of a transposed view.
    for k in range(stack):
      joined[..., k * channels : (k + 1) * channels] = frames[:, begin + k]
    return joined

  return Transition(
    s_tm1=observations(0),
    a_tm1=batch.a_tm1,
    r_t=batch.r_t,
    discount_t=batch.discount_t,
    s_t=observations(frames.shape[1] - stack),
  )


def split(observations: np.ndarray, stack: int) -> np.ndarray:
  """Frames of observations `[N, ..., k C]`, a view `[k, N, ..., C]`."""
  if stack == 1:
    return observations[None]
  shape = observations.shape
  frames = observations.reshape(*shape[:-1], stack, shape[-1] // stack)
  return np.moveaxis(frames, -2, 0)


def is_new(frames: np.ndarray) -> np.ndarray:
  """Which frames differ from the one before them; the first one does.

  Args:
    frames: of one stack, `[k, ...]`.

  Returns:
    Booleans, `[k]`.
  """
  return np.array(
    [
      True,
      *(
        frames[k].tobytes() != frames[k - 1].tobytes()
        for k in range(1, len(frames))
      ),
    ]
  )


def is_next(s_tm1: np.ndarray, s_t: np.ndarray, stack: int) -> bool:
  """Whether the stacks `s_t` are those of `s_tm1` with one frame more each.

  Compared are bytes, so that a NaN equals itself.

  Args:
    s_tm1: contiguous, `[N, ..., k C]`.
    s_t: contiguous, of the same shape and dtype.
    stack: k.
  """
  if stack == 1:
    return True
  width = s_t.shape[-1] * s_t.itemsize
  frame = width // stack
  before, after = (x.reshape(-1).view(np.uint8) for x in (s_tm1, s_t))
  # As flat memory, which is compared many bytes at a time: where s_t has its
  # frame j, s_tm1 has its frame j + 1 further on. The newest frame of s_t
  # falls onto the next pixel.
  same = np.empty(after.shape, bool)
  np.equal(before[frame:], after[:-frame], out=same[:-frame])
  same.reshape(-1, width)[:, -frame:] = True
  return bool(same.all())
