"""The state of a user's environment as bytes, and back, exactly.

A checkpoint holds arrays. The state of a user's environment may be anything
that is made of numbers, text, arrays, random generators and containers of
them: it is written as JSON, in bytes. Equal states give equal bytes.

Not pickled, because pickles of equal objects may differ, which a comparison of
two checkpoints would show, and because reading one can run any code.
"""

import base64
import collections
import json
import math
import random
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

# What a message lists.
ACCEPTED = (
  'None, bool, int, float, complex, str, bytes, list, tuple, dict, set, '
  'frozenset, collections.deque, numpy numbers and arrays (not of objects), '
  'numpy.random.Generator, BitGenerator, SeedSequence and RandomState, and '
  'random.Random'
)
_BIT_GENERATORS: Mapping[str, type] = MappingProxyType(
  {
    kind.__name__: kind
    for kind in (
      np.random.MT19937,
      np.random.PCG64,
      np.random.PCG64DXSM,
      np.random.Philox,
      np.random.SFC64,
    )
  }
)
# Python refuses to write longer integers as decimal text.
_LARGE = 2**63


# The key of a state as bytes; `SyncVectorEnv` and others put words before it.
KEY = '_encoded'


class UnsavableError(ValueError):
  """A part of a state that cannot be saved. The message says where it is."""


def encode(state: Any) -> np.ndarray:
  """The state as bytes; a copy.

  Args:
    state: any of `ACCEPTED`, nested.

  Returns:
    uint8 `[L]`, without zeros.

  Raises:
    UnsavableError: a part of it is of another type, or contains itself.
  """
  try:
    tree = _encoded(state, 'state')
  except RecursionError:
    raise UnsavableError(
      'state contains itself, or is nested too deeply'
    ) from None
  text = json.dumps(tree, allow_nan=False, separators=(',', ':'))
  return np.frombuffer(text.encode('ascii'), np.uint8).copy()


def is_encoded(key: str) -> bool:
  """Whether the key of an array names a state as bytes."""
  return key.endswith(KEY)


def decode(encoded: np.ndarray) -> Any:
  """The state that `encode` was given, made of new objects.

  Args:
    encoded: uint8 `[L]`; zeros at its end are ignored.
  """
  text = np.asarray(encoded, np.uint8).tobytes().rstrip(b'\0')
  return _decoded(json.loads(text))


def _encoded(value: Any, where: str) -> Any:
  kind = type(value)
  if value is None or kind in (bool, str):
    return value
  if kind is int:
    return value if -_LARGE < value < _LARGE else {'int': hex(value)}
  if kind is float:
    return value if math.isfinite(value) else {'float': repr(value)}
  if kind is list:
    return _items(value, where)
  write = _WRITERS.get(kind)
  if write is not None:
    return {kind.__name__: write(value, where)}
  if isinstance(value, np.generic):
    return {'number': _array(np.asarray(value), where)}
  if isinstance(value, np.random.BitGenerator) and kind.__name__ in (
    _BIT_GENERATORS
  ):
    return {'BitGenerator': _bit_generator(value, where)}
  if hasattr(value, '__array__') and not isinstance(value, np.ndarray):
    return {'ndarray': _array(np.asarray(value), where)}  # Of jax, torch...
  raise UnsavableError(
    f'{where} is a {kind.__module__}.{kind.__qualname__}, which cannot be '
    f'saved; what can: {ACCEPTED}'
  )


def _items(values: Any, where: str) -> list[Any]:
  return [_encoded(v, f'{where}[{i}]') for i, v in enumerate(values)]


def _dict(value: dict, where: str) -> list[Any]:
  return [
    [_encoded(k, f'a key of {where}'), _encoded(v, f'{where}[{k!r}]')]
    for k, v in value.items()
  ]


def _set(value: Any, where: str) -> list[Any]:
  # In an order that does not depend on the hashes of text.
  return sorted((_encoded(v, f'a member of {where}') for v in value), key=str)


def _bytes(value: Any, where: str) -> str:
  del where
  return base64.b64encode(value).decode('ascii')


def _array(value: np.ndarray, where: str) -> list[Any]:
  if value.dtype.kind not in 'biufcSUmM':
    raise UnsavableError(
      f'{where} is an array of dtype {value.dtype}, which cannot be saved; '
      'what can: numbers, bool, text, bytes and times'
    )
  return [value.dtype.str, list(value.shape), _bytes(value.tobytes(), where)]


def _bit_generator(value: np.random.BitGenerator, where: str) -> Any:
  sequence: Any = value.seed_seq  # It makes what `spawn` returns.
  if type(sequence) is not np.random.SeedSequence:
    sequence = None
  return _encoded((value.state, sequence), where)


_WRITERS: Mapping[type, Callable[[Any, str], Any]] = MappingProxyType(
  {
    complex: lambda x, where: _items((x.real, x.imag), where),
    bytes: _bytes,
    bytearray: _bytes,
    tuple: _items,
    dict: _dict,
    set: _set,
    frozenset: _set,
    collections.deque: lambda x, where: [x.maxlen, _items(x, where)],
    np.ndarray: _array,
    np.random.Generator: lambda x, where: _bit_generator(
      x.bit_generator, where
    ),
    np.random.RandomState: lambda x, where: _encoded(
      x.get_state(legacy=False), where
    ),
    np.random.SeedSequence: lambda x, where: _encoded(x.state, where),
    random.Random: lambda x, where: _encoded(x.getstate(), where),
  }
)


def _decoded(tree: Any) -> Any:
  if isinstance(tree, list):
    return [_decoded(one) for one in tree]
  if isinstance(tree, dict):
    ((kind, content),) = tree.items()
    return _READERS[kind](content)
  return tree


def _read_array(content: list[Any]) -> np.ndarray:
  dtype, shape, data = content
  # Of a bytearray, which can be written to, unlike bytes.
  return np.ndarray(shape, dtype, bytearray(base64.b64decode(data)))


def _read_bit_generator(content: Any) -> np.random.BitGenerator:
  state, sequence = _decoded(content)
  found = _BIT_GENERATORS[state['bit_generator']](sequence)
  found.state = state
  return found


def _read_random_state(content: Any) -> np.random.RandomState:
  state = _decoded(content)
  found = np.random.RandomState(_BIT_GENERATORS[state['bit_generator']]())
  found.set_state(state)
  return found


def _read_random(content: Any) -> random.Random:
  found = random.Random()
  found.setstate(_decoded(content))
  return found


_READERS: Mapping[str, Callable[[Any], Any]] = MappingProxyType(
  {
    'int': lambda x: int(x, 16),
    'float': float,
    'complex': lambda x: complex(*_decoded(x)),
    'bytes': base64.b64decode,
    'bytearray': lambda x: bytearray(base64.b64decode(x)),
    'tuple': lambda x: tuple(_decoded(x)),
    'dict': lambda x: {_decoded(k): _decoded(v) for k, v in x},
    'set': lambda x: set(_decoded(x)),
    'frozenset': lambda x: frozenset(_decoded(x)),
    'deque': lambda x: collections.deque(_decoded(x[1]), x[0]),
    'number': lambda x: _read_array(x)[()],
    'ndarray': _read_array,
    'BitGenerator': _read_bit_generator,
    'Generator': lambda x: np.random.Generator(_read_bit_generator(x)),
    'RandomState': _read_random_state,
    'SeedSequence': lambda x: np.random.SeedSequence(**_decoded(x)),
    'Random': _read_random,
  }
)
