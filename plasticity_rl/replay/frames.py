"""Stores frames in chunks that do not change once they are full.

A store numbers every frame; the number is its *slot*. A chunk holds
`chunk_frames` slots in succession, and a full chunk is immutable. So a copy of
a store shares all full chunks, while the original goes on, and old frames are
deleted chunk by chunk.

A compressed chunk holds a few frames of one environment, because similar frames
compress well together: on Atari, eight frames together take a third to a half
of what they take separately, and decompress in about the time of one.
"""

import copy
import pathlib
import sys
from collections.abc import Iterator

import lz4.block
import numpy as np

from plasticity_rl.errors import UserError

# Below this many bytes a frame costs less to copy than a call does.
_SMALL = 1024
_BYTES, _TABLE, _STREAMS = 'frames.bin', 'chunks.npy', 'streams.npy'


class FrameStore:
  """Numbers and keeps frames, and finds them by their number.

  Frames arrive in streams; a chunk holds frames of one stream only.
  """

  def __init__(
    self,
    shape: tuple[int, ...],
    dtype: np.dtype,
    *,
    chunk_frames: int,
    num_streams: int = 1,
    compress: bool = False,
  ):
    """An empty store.

    Args:
      shape: of a frame.
      dtype: of a frame.
      chunk_frames: frames in a chunk.
      num_streams: number of streams; each fills a chunk of its own.
      compress: whether full chunks are compressed (LZ4, lossless).
    """
    self._shape, self._dtype = shape, np.dtype(dtype)
    self._chunk_frames = chunk_frames
    self._compress = compress
    self._frame_bytes = int(np.prod(shape)) * self._dtype.itemsize
    # By number: an array, or the compressed bytes of a full one.
    self._chunks: dict[int, np.ndarray | bytes] = {}
    self._first, self._next = 0, 0
    # For each stream: the chunk that it fills, and the frames in it so far.
    self._filling = np.full(num_streams, -1)
    self._filled = np.full(num_streams, chunk_frames)

  @property
  def nbytes(self) -> int:
    """Memory of the chunks, including their Python objects."""
    return sys.getsizeof(self._chunks) + sum(
      sys.getsizeof(chunk) for chunk in self._chunks.values()
    )

  def append(self, stream: int, frames: np.ndarray) -> np.ndarray:
    """Keeps frames `[N, ...]` of a stream; returns slots `[N]`, ascending."""
    slots = []
    while len(frames):
      if self._filled[stream] == self._chunk_frames:
        self._open(stream)
      number, begin = int(self._filling[stream]), int(self._filled[stream])
      end = min(begin + len(frames), self._chunk_frames)
      self._chunks[number][begin:end] = frames[: end - begin]
      first = number * self._chunk_frames
      slots.append(np.arange(first + begin, first + end))
      frames = frames[end - begin :]
      self._filled[stream] = end
      if end == self._chunk_frames:
        self._seal(number)
    return np.concatenate(slots)

  def gather(self, slots: np.ndarray) -> np.ndarray:
    """Returns a new array `[N, ...]` of the frames at `slots`, `[N]`."""
    order = None
    numbers, offsets = np.divmod(slots, self._chunk_frames)
    if self._frame_bytes < _SMALL:
      # One call for each chunk, though its frames are all over the batch.
      order = np.argsort(numbers, kind='stable')
      numbers, offsets = numbers[order], offsets[order]
    frames = np.empty((len(slots), *self._shape), self._dtype)
    borders = np.flatnonzero(np.diff(numbers)) + 1
    begins = [0, *borders.tolist()]
    ends = [*begins[1:], len(slots)]
    for begin, end, number in zip(
      begins, ends, numbers[begins].tolist(), strict=True
    ):
      # With another mode than 'clip', numpy buffers the output.
      np.take(
        self._chunk(number),
        offsets[begin:end],
        axis=0,
        out=frames[begin:end],
        mode='clip',
      )
    if order is None:
      return frames
    unsorted = np.empty_like(frames)
    unsorted[order] = frames
    return unsorted

  def drop(self, before: int) -> None:
    """Deletes the chunks in which every slot is lower than `before`."""
    number = before // self._chunk_frames
    for passed in range(self._first, number):
      self._chunks.pop(passed, None)
    self._first = max(self._first, number)

  def clear(self) -> None:
    """Deletes all frames; their slots are not used again."""
    self._chunks = {}
    self._first = self._next
    self._filling[:] = -1
    self._filled[:] = self._chunk_frames

  def copy(self) -> 'FrameStore':
    """An independent store that shares all full chunks with this one."""
    other = copy.copy(self)
    other._filling, other._filled = self._filling.copy(), self._filled.copy()
    other._chunks = dict(self._chunks)
    for number, _ in self._open_chunks():
      other._chunks[number] = self._chunks[number].copy()
    return other

  def save(self, folder: pathlib.Path) -> None:
    """Writes all frames into three files, without a copy in memory."""
    filled = dict(self._open_chunks())
    table = []
    with (folder / _BYTES).open('wb') as file:
      for number in sorted(self._chunks):
        chunk = self._chunks[number]
        if number in filled:
          chunk = chunk[: filled[number]]
        if isinstance(chunk, np.ndarray):
          chunk = chunk.reshape(-1).view(np.uint8).data
        table.append((number, len(chunk)))
        file.write(chunk)
    np.save(folder / _TABLE, np.array(table, np.int64).reshape(-1, 2))
    np.save(
      folder / _STREAMS,
      np.stack(
        [
          np.append(self._filling, self._first),
          np.append(self._filled, self._next),
        ]
      ),
    )

  def load(self, folder: pathlib.Path) -> None:
    """Replaces all frames by those of a saved store of the same settings.

    Raises:
      UserError: the file of frames is incomplete.
    """
    streams = np.load(folder / _STREAMS)
    (*self._filling, self._first), (*self._filled, self._next) = (
      streams.tolist()
    )
    self._filling, self._filled = map(np.array, (self._filling, self._filled))
    self._chunks = {}
    filled = dict(self._open_chunks())
    with (folder / _BYTES).open('rb') as file:
      for number, size in np.load(folder / _TABLE).tolist():
        read = file.read(size)
        if len(read) != size:
          raise UserError(f'{folder / _BYTES} is shorter than it was')
        if self._compress and number not in filled:
          self._chunks[number] = read
          continue
        chunk = np.empty((self._chunk_frames, *self._shape), self._dtype)
        chunk.reshape(-1).view(np.uint8)[:size] = np.frombuffer(read, np.uint8)
        chunk.flags.writeable = number in filled
        self._chunks[number] = chunk

  def _open_chunks(self) -> Iterator[tuple[int, int]]:
    """Yields (number, frames so far) of each chunk that is being filled."""
    for number, filled in zip(
      self._filling.tolist(), self._filled.tolist(), strict=True
    ):
      if filled < self._chunk_frames:
        yield number, filled

  def _open(self, stream):
    self._filling[stream], self._filled[stream] = self._next, 0
    self._chunks[self._next] = np.empty(
      (self._chunk_frames, *self._shape), self._dtype
    )
    self._next += 1

  def _seal(self, number):
    chunk = self._chunks[number]
    if self._compress:
      self._chunks[number] = lz4.block.compress(chunk, store_size=False)
    else:
      chunk.flags.writeable = False

  def _chunk(self, number):
    chunk = self._chunks[number]
    if isinstance(chunk, np.ndarray):
      return chunk
    raw = lz4.block.decompress(
      chunk, uncompressed_size=self._chunk_frames * self._frame_bytes
    )
    return np.frombuffer(raw, self._dtype).reshape(-1, *self._shape)
