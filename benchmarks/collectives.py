"""What a compiled program sends between devices, read off its text."""

import re

_BYTES = {
  'pred': 1,
  's8': 1,
  'u8': 1,
  's16': 2,
  'u16': 2,
  'f16': 2,
  'bf16': 2,
  's32': 4,
  'u32': 4,
  'f32': 4,
  's64': 8,
  'u64': 8,
  'f64': 8,
}
_NAMES = (
  'all-reduce',
  'all-gather',
  'reduce-scatter',
  'all-to-all',
  'collective-permute',
  'collective-broadcast',
)
# `name = TYPE op(` where TYPE is an array's or a tuple of them; the result of
# what is asynchronous is told where it is done.
_LINE = re.compile(
  rf'= (?P<type>\(.*?\)|\S+) (?P<name>{"|".join(_NAMES)})(-done)?\('
)
_ARRAY = re.compile(r'([a-z]+\d*)\[([\d,]*)\]')


def bytes_of(text: str) -> dict[str, int]:
  """Bytes of the results of collectives, by name, in a compiled program.

  Args:
    text: of `jax.jit(...).lower(...).compile().as_text()`. The body of a loop
      is there once, however often it runs.
  """
  found: dict[str, int] = {}
  for line in _LINE.finditer(text):
    size = sum(
      _BYTES[kind] * _product(shape)
      for kind, shape in _ARRAY.findall(line['type'])
    )
    found[line['name']] = found.get(line['name'], 0) + size
  return found


def count(text: str) -> int:
  """How many collectives a compiled program holds."""
  return len(list(_LINE.finditer(text)))


def _product(shape):
  result = 1
  for size in filter(None, shape.split(',')):
    result *= int(size)
  return result
