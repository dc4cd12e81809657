"""What an agent sees and what it may do. Free of jax."""

import dataclasses
from typing import Any


@dataclasses.dataclass(frozen=True)
class Discrete:
  """Actions are the integers below `num_actions`."""

  num_actions: int


@dataclasses.dataclass(frozen=True)
class Continuous:
  """Actions are vectors in [-1, 1]^size, which environments scale."""

  size: int


@dataclasses.dataclass(frozen=True)
class Spaces:
  """What an agent has to fit.

  Attributes:
    observation_shape: of one observation.
    observation_dtype: in which observations come and are stored.
    actions: `Discrete` or `Continuous`.
  """

  observation_shape: tuple[int, ...]
  observation_dtype: Any
  actions: Discrete | Continuous
