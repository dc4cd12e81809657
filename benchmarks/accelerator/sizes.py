"""How large the parts are: as they are meant, or as small as they go."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Sizes:
  """Sizes of all parts.

  Attributes:
    small: whether networks and pictures are tiny too.
    seeds: numbers of seeds in one program.
    envs: numbers of environments of one seed.
    rows: rows of a segment, an update each.
    updates: updates in one compiled scan.
    repeats: how often each is timed; the best counts.
    product: rows and columns of a matrix product.
    stream: float32 numbers of the array whose copy gives the bandwidth.
  """

  small: bool
  seeds: tuple[int, ...]
  envs: tuple[int, ...]
  rows: int
  updates: int
  repeats: int
  product: int
  stream: int


FULL = Sizes(
  small=False,
  seeds=(1, 4, 16, 64, 256, 1024),
  envs=(1, 16, 128, 1024),
  rows=500,
  updates=64,
  repeats=5,
  product=8192,
  stream=2**28,
)
SMALL = Sizes(
  small=True,
  seeds=(1, 2),
  envs=(1, 2),
  rows=16,
  updates=2,
  repeats=1,
  product=64,
  stream=2**10,
)
