"""Methods that keep statistics of units, and recycle some at each step."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import jax

from plasticity_rl.layers import Layer
from plasticity_rl.methods import network
from plasticity_rl.methods import units
from plasticity_rl.methods.recycle import recycle
from plasticity_rl.split import trainable
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


class GradientMethod(NamedTuple):
  """A pair of pure functions, as a `UnitMethod`, that looks at gradients.

  Attributes:
    init: `(params, initial=None) -> statistics`, a NamedTuple of arrays by
      layer.
    step: `(key, statistics, params, gradient, *, target=None, opt_state=None,
      initial=None) -> (NetState, statistics)`, as `StepFunction`, with the
      gradient of the loss by the parameters or by what learns of them.
  """

  init: InitFunction
  step: Callable[..., tuple[NetState, Any]]


class Observed(NamedTuple):
  """What a step sees of a hidden layer.

  Attributes:
    hidden: the layer.
    features: its features after the activation, `[B, ..., F]`.
    params: of the network, the part that learns.
    may_recycle: whether its units can be recycled, bool `[]`.
  """

  hidden: units.Hidden
  features: jax.Array
  params: Params
  may_recycle: jax.Array


class Advanced(NamedTuple):
  """What a step makes of a hidden layer.

  Attributes:
    statistics: the new ones.
    recycled: the units to recycle, bool `[U]`.
    mean: mean features `[F]`, which go into the biases of the next layer for
      recycled units; None if they do not.
  """

  statistics: Any
  recycled: jax.Array
  mean: jax.Array | None = None


def unit_method(
  layers: Sequence[Layer],
  *,
  init: network.Init,
  count: str,
  fresh: Callable[[Layer, jax.Array], Any],
  restart: Callable[[Any, jax.Array], Any],
  advance: Callable[[Any, Observed], Advanced],
  biases: bool = False,
) -> UnitMethod:
  """A method from what it does in one layer.

  Args:
    layers: of the network in the order of the forward pass.
    init: `(key) -> params`, the network's initialiser.
    count: see `moments.reset_moments`.
    fresh: `(layer, marks [U]) -> statistics` before the first step, a
      NamedTuple with the marks as its field `drawn`.
    restart: `(statistics, new [U]) -> statistics` of which some units are new.
    advance: `(statistics, observed) -> advanced`, one step.
    biases: whether `advance` gives means, so that layers need biases.
  """
  layers = tuple(layers)

  def check(state: NetState) -> None:
    network.check_state(state)
    network.check_layers(trainable(state.params), layers, biases=biases)

  def start(params: Params, initial: Params | None = None) -> dict[str, Any]:
    check(NetState(params, None, None, initial))
    marks = units.drawn(layers, trainable(params), initial)
    return {
      hidden.name: fresh(hidden.layer, marks[hidden.name])
      for hidden in units.hidden_layers(layers)
    }

  def step(
    key: jax.Array,
    statistics: Mapping[str, Any],
    params: Params,
    features: Mapping[str, jax.Array],
    *,
    target: Params | None = None,
    opt_state: Any = None,
    initial: Params | None = None,
  ) -> tuple[NetState, dict[str, Any]]:
    state = NetState(params, target, opt_state, initial)
    check(state)
    plain = trainable(params)
    features = network.check_features(plain, layers, features)
    marks = units.drawn(layers, plain, initial)
    found = {}
    for hidden in units.hidden_layers(layers):
      own = statistics[hidden.name]
      found[hidden.name] = advance(
        restart(own, own.drawn != marks[hidden.name]),
        Observed(
          hidden,
          features[hidden.name],
          plain,
          units.may_recycle(params, hidden),
        ),
      )
    means = {n: one.mean for n, one in found.items() if one.mean is not None}
    state = recycle(
      key,
      state,
      layers,
      {name: one.recycled for name, one in found.items()},
      init=init,
      count=count,
      means=means or None,
    )
    marks = units.drawn(layers, trainable(state.params), state.initial)
    return state, {
      name: _as_before(one.statistics, statistics[name])._replace(
        drawn=marks[name]
      )
      for name, one in found.items()
    }

  return UnitMethod(start, step)


def _as_before(new: Any, old: Any) -> Any:
  """New statistics in the old ones' dtypes: x64 would widen sums."""
  return jax.tree.map(lambda n, o: n.astype(o.dtype), new, old)
