"""Spaces of observations and actions. Does not import jax."""

import dataclasses
from typing import Any, ClassVar


@dataclasses.dataclass(frozen=True)
class Discrete:
  """Actions are the integers below `num_actions`."""

  num_actions: int
  dtype: ClassVar[str] = 'int32'

  @property
  def shape(self) -> tuple[int, ...]:
    """The shape of an action."""
    return ()


@dataclasses.dataclass(frozen=True)
class Continuous:
  """Actions are vectors in [-1, 1]^size; environments scale them."""

  size: int
  dtype: ClassVar[str] = 'float32'

  @property
  def shape(self) -> tuple[int, ...]:
    """The shape of an action."""
    return (self.size,)


@dataclasses.dataclass(frozen=True)
class Spaces:
  """The observations and actions of an environment.

  Attributes:
    observation_shape: of one observation.
    observation_dtype: of observations, also in a replay.
    actions: `Discrete` or `Continuous`.
  """

  observation_shape: tuple[int, ...]
  observation_dtype: Any
  actions: Discrete | Continuous
