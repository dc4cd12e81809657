"""Frames in chunks that are never changed once full.

A store hands out a number for every frame, its *slot*. `chunk_frames` slots in
succession share a chunk, and a full chunk is immutable: a copy of a store
shares all of them, and forgetting is dropping them from the front. So a copy
costs no frame twice, while its original goes on.

Compressed chunks hold a few frames of one environment, whose likeness is what
compresses well: on Atari, eight frames together take a third to a half of
what they take singly, and come apart in about the time that one does.
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
  """Numbers frames, keeps those that are not dropped, and finds them again.

  Frames arrive in streams; the chunks of different streams are different ones.
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
      num_streams: how many chunks are filled at a time.
      compress: whether full chunks are compressed (LZ4, lossless).
    """
    self._shape, self._dtype = shape, np.dtype(dtype)
    self._chunk_frames = chunk_frames
    self._compress = compress
    self._frame_bytes = int(np.prod(shape)) * self._dtype.itemsize
    # By number: an array that is being filled or is full, or its bytes.
    self._chunks: dict[int, np.ndarray | bytes] = {}
    self._first, self._next = 0, 0
    # Of each stream: the chunk that it fills, and the frames in it so far.
    self._filling = np.full(num_streams, -1)
    self._filled = np.full(num_streams, chunk_frames)

  @property
  def nbytes(self) -> int:
    """Memory of the chunks, with the objects that they are."""
    return sys.getsizeof(self._chunks) + sum(
      sys.getsizeof(chunk) for chunk in self._chunks.values()
    )

  def append(self, stream: int, frames: np.ndarray) -> np.ndarray:
    """Keeps frames `[N, ...]` of a stream; their slots, `[N]`, ascending."""
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
    """A fresh array of the frames at `slots`, `[N]`: `[N, ...]`."""
    order = None
    numbers, offsets = np.divmod(slots, self._chunk_frames)
    if self._frame_bytes < _SMALL:
      # One call a chunk, though its frames are scattered over the batch.
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
    """Forgets chunks all of whose slots are lower than `before`."""
    number = before // self._chunk_frames
    for passed in range(self._first, number):
      self._chunks.pop(passed, None)
    self._first = max(self._first, number)

  def clear(self) -> None:
    """Forgets all frames; their slots are not given again."""
    self._chunks = {}
    self._first = self._next
    self._filling[:] = -1
    self._filled[:] = self._chunk_frames

  def copy(self) -> 'FrameStore':
    """A store of its own, which shares all full chunks with this one."""
    other = copy.copy(self)
    other._filling, other._filled = self._filling.copy(), self._filled.copy()
    other._chunks = dict(self._chunks)
    for number, _ in self._open_chunks():
      other._chunks[number] = self._chunks[number].copy()
    return other

  def save(self, folder: pathlib.Path) -> None:
    """Writes all frames into three files, with no copy in memory."""
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
    """Becomes the store, of the same settings, that was saved."""
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
    """Number and frames of the chunks that are being filled."""
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
