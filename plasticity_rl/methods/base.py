"""What a method with statistics of units is."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import jax

from plasticity_rl.types import NetState
from plasticity_rl.types import Params


class StepFunction(Protocol):
  """A step of a `UnitMethod`."""

  def __call__(
    self,
    key: jax.Array,
    statistics: Any,
    params: Params,
    features: Mapping[str, jax.Array],
    *,
    target: Params | None = None,
    opt_state: Any = None,
    initial: Params | None = None,
  ) -> tuple[NetState, Any]:
    """The network and the statistics after it. The key is consumed.

    Args:
      key: seeds the draw.
      statistics: those of the step before, or of `init`.
      params: of the network.
      features: of each hidden layer after its activation, `[B, U]` or
        `[B, ..., U]`, by the layer's name.
      target: parameters of a target network, which receives the same draw.
      opt_state: the optimizer's state, of any optax optimizer of `params`.
      initial: parameters as they were drawn, in which recycled units become
        those of the new draw. With it, units that another method draws again
        count as new.

    Raises:
      UserError: arguments that do not fit the parameters, or features that are
        not finite.
    """


class InitFunction(Protocol):
  """The start of a `UnitMethod`."""

  def __call__(self, params: Params, initial: Params | None = None) -> Any:
    """Statistics before the first step; `initial` as in `StepFunction`."""


class UnitMethod(NamedTuple):
  """A pair of pure functions, which keeps statistics of each unit.

  Attributes:
    init: `(params, initial=None) -> statistics`, a NamedTuple of arrays by
      layer.
    step: `(key, statistics, params, features, *, target=None, opt_state=None,
      initial=None) -> (NetState, statistics)`, see `StepFunction`.
  """

  init: InitFunction
  step: StepFunction
