"""Event files of TensorBoard as curves, without TensorBoard.

A file is a chain of records: length, its checksum, a message, its checksum.
The message is a protocol buffer of which four fields matter here: the step and
the summary of an event, tag and number of a value. Checksums are not looked at;
a last record that is cut short, as of a run that was killed, is left out.
"""

import pathlib
import struct
from collections.abc import Iterator

import numpy as np

from plasticity_rl.analysis.curves import curve as curves_lib
from plasticity_rl.analysis.curves.curve import Curve
from plasticity_rl.analysis.curves.curve import Point
from plasticity_rl.errors import UserError

# Fields of tensorflow.Event, Summary, Summary.Value and TensorProto.
_STEP, _SUMMARY = 2, 5
_VALUE = 1
_TAG, _SIMPLE, _TENSOR = 1, 2, 8
_DTYPE, _CONTENT, _FLOATS = 1, 4, 5
_FLOAT = 1  # The dtype of a scalar.
_VARINT, _EIGHT, _BYTES, _FOUR = 0, 1, 2, 5


def read(path: pathlib.Path, name: str) -> list[Curve]:
  """The scalars of an event file, a curve for each tag.

  Args:
    path: of the file.
    name: of the run.

  Raises:
    UserError: it is no event file, or a tag's steps run backwards.
  """
  try:
    data = path.read_bytes()
  except OSError as error:
    raise UserError(f'cannot read {path}: {error}') from None
  points: dict[str, list[Point]] = {}
  try:
    for i, record in enumerate(_records(data)):
      step, summaries = _event(record)
      for summary in summaries:
        for number, kind, value in _fields(summary):
          if (number, kind) == (_VALUE, _BYTES):
            tag, scalar = _scalar(value)
            if scalar is not None:
              points.setdefault(tag, []).append(
                Point(f'event {i}', step, scalar)
              )
  except (IndexError, struct.error, ValueError):
    raise UserError(f'{path} is not an event file of TensorBoard') from None
  return [
    curves_lib.from_points(
      f'{path}, tag {tag!r}',
      found,
      name=name,
      metric=tag,
      several_at_once=True,
    )
    for tag, found in points.items()
  ]


def _records(data: bytes) -> Iterator[bytes]:
  at = 0
  while at + 12 <= len(data):
    (length,) = struct.unpack_from('<Q', data, at)
    begin, end = at + 12, at + 12 + length
    if end + 4 > len(data):
      if at == 0:
        raise ValueError('the first record is longer than the file')
      return
    yield data[begin:end]
    at = end + 4


def _event(record: bytes) -> tuple[int, list[bytes]]:
  """The step of an event, and its summaries."""
  step, summaries = 0, []
  for number, kind, value in _fields(record):
    if (number, kind) == (_STEP, _VARINT):
      step = value - (1 << 64) * (value >> 63)  # Two's complement.
    elif (number, kind) == (_SUMMARY, _BYTES):
      summaries.append(value)
  return step, summaries


def _scalar(value: bytes) -> tuple[str, float | None]:
  """Tag and number of a value; None where it is a picture, a text..."""
  tag, scalar = '', None
  for number, kind, content in _fields(value):
    if (number, kind) == (_TAG, _BYTES):
      tag = content.decode()
    elif (number, kind) == (_SIMPLE, _FOUR):
      (scalar,) = struct.unpack('<f', content)
    elif (number, kind) == (_TENSOR, _BYTES):
      scalar = _of_tensor(content)
  return tag, scalar


def _of_tensor(tensor: bytes) -> float | None:
  dtype, numbers = None, np.zeros(0)
  for number, kind, content in _fields(tensor):
    if (number, kind) == (_DTYPE, _VARINT):
      dtype = content
    elif number in (_CONTENT, _FLOATS) and kind in (_BYTES, _FOUR):
      if len(content) % 4 == 0:
        numbers = np.frombuffer(content, '<f4')
  return float(numbers[0]) if dtype == _FLOAT and len(numbers) == 1 else None


def _fields(message: bytes) -> Iterator[tuple[int, int, int | bytes]]:
  """Number, wire type and value of each field of a message."""
  at = 0
  while at < len(message):
    key, at = _varint(message, at)
    kind = key & 7
    if kind == _VARINT:
      value, at = _varint(message, at)
    else:
      if kind == _BYTES:
        size, at = _varint(message, at)
      elif kind in (_EIGHT, _FOUR):
        size = 8 if kind == _EIGHT else 4
      else:
        raise ValueError(f'wire type {kind}')
      value, at = message[at : at + size], at + size
      if len(value) < size:
        raise ValueError('a field is cut short')
    yield key >> 3, kind, value


def _varint(message: bytes, at: int) -> tuple[int, int]:
  value = shift = 0
  while True:
    byte = message[at]
    value |= (byte & 127) << shift
    at, shift = at + 1, shift + 7
    if byte < 128:
      return value, at
