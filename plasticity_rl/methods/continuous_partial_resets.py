"""Continuous partial resets, CPR: units of little gradient are mixed anew."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from plasticity_rl import checks
from plasticity_rl.layers import Layer
from plasticity_rl.layers import get_layer
from plasticity_rl.layers import put_layer
from plasticity_rl.measures.gradients import gradient_scores
from plasticity_rl.methods import network
from plasticity_rl.methods import units
from plasticity_rl.methods.base import GradientMethod
from plasticity_rl.methods.recycle import if_any
from plasticity_rl.split import replace_trainable
from plasticity_rl.split import trainable
from plasticity_rl.types import NetState
from plasticity_rl.types import Params
from plasticity_rl.weight_norm import effective_weight
from plasticity_rl.weight_norm import norms


class Statistics(NamedTuple):
  """What continuous partial resets keep of a layer.

  Attributes:
    utility: running average of the score of each unit, `[U]`.
    calls: steps so far, int32 `[]`.
    drawn: marks of the draws that units come from, `[U]` (`units.drawn`).
  """

  utility: jax.Array
  calls: jax.Array
  drawn: jax.Array


def check_options(
  rate: float, sharpness: float, threshold: float, decay: float, period: int
) -> None:
  """Refuses options that `continuous_partial_resets` does not take.

  Raises:
    UserError: an option is out of its range.
  """
  checks.number('continuous_partial_resets: rate', rate, 0, 1)
  checks.number('continuous_partial_resets: sharpness', sharpness, 0)
  checks.number('continuous_partial_resets: threshold', threshold, 0)
  checks.number('continuous_partial_resets: decay', decay, 0, below=1)
  checks.count('continuous_partial_resets: period', period, 1)


def continuous_partial_resets(
  layers: Sequence[Layer],
  *,
  init: network.Init,
  rate: float = 0.012,
  sharpness: float = 16.0,
  threshold: float = 0.95,
  decay: float = 0.99,
  period: int = 1000,
) -> GradientMethod:
  """Moves units a little towards fresh ones, the less gradient the more.

  Of unit i of a hidden layer, with u_i from 1 and G_i of `measures.grama`:

      u_i <- decay u_i + (1 - decay) G_i                       (at each step)
      r_i  = rate x min(exp(-sharpness (u_i - threshold)), 1)
      w   <- (1 - r_in) (1 - r_out) w + r_in w_fresh,  u_i <- 1
                                                  (at every `period`-th step)

  r_in of the unit that a weight leads into and r_out of the one that it comes
  from, 0 where there is none: incoming weights are mixed with a fresh draw of
  the network's initialiser, outgoing ones decay. With rate 1 and a large
  sharpness units below the threshold are recycled. Biases, normalisation and
  the optimizer's state stay. With weight normalisation w is what the layer
  multiplies by, and `g` follows.

  We know CPR, "Continuous Partial Resets", from its published code
  (github.com/LucMc/continual-learning) alone, of which equations and defaults
  are; there are other forms of r_i in it than the exponential one, its default.

  Args:
    layers: of the network in the order of the forward pass, as
      `declare_layers` makes them.
    init: `(key) -> params`, the network's initialiser; of an injected network,
      of what learns.
    rate: the largest share of a unit that is replaced at a time, 0 to 1. With
      0 networks never change.
    sharpness: how fast the share falls with the utility; 0 for all alike.
    threshold: the utility up to which it is the largest.
    decay: of the utility, 0 to below 1.
    period: in steps, at least 1.

  Returns:
    Two pure functions: `init(params)` makes the statistics of every hidden
    layer, and `step(key, statistics, params, gradient)` gives a
    `types.NetState` and new statistics. `step` also takes `target`, which
    receives the same draw, `opt_state` and `initial`, which stay; with the
    latter, units that another method draws again count as new. Its key is
    consumed.

  Raises:
    UserError: an option out of its range; and, from `init` and `step`, layers,
      parameters or a gradient that do not fit one another.

  Example:
    >>> import jax
    >>> import jax.numpy as jnp
    >>> import plasticity_rl as pl
    >>> def draw(key):
    ...   w = jax.random.normal(key, [4, 2])
    ...   return {'first': {'w': w.T}, 'last': {'w': w}}
    >>> method = pl.continuous_partial_resets(
    ...   pl.declare_layers({'first': ['first'], 'last': ['last']}, bias=None),
    ...   init=draw,
    ...   rate=0.5,
    ...   decay=0.0,
    ...   period=1,
    ... )
    >>> params = draw(jax.random.PRNGKey(0))
    >>> gradient = {  # The second unit has little, the third all.
    ...   'first': {'w': jnp.array([[1.0, 0.1, 9.0, 1.0]] * 2)},
    ...   'last': {'w': jnp.ones([4, 2])},
    ... }
    >>> new, _ = method.step(
    ...   jax.random.PRNGKey(1), method.init(params), params, gradient
    ... )
    >>> kept = new.params['last']['w'] / params['last']['w']
    >>> kept.mean(1).round(2).tolist()
    [0.5, 0.5, 1.0, 0.5]
  """
  check_options(rate, sharpness, threshold, decay, period)
  layers = tuple(layers)

  def check(state: NetState) -> None:
    network.check_state(state)
    network.check_layers(trainable(state.params), layers)

  def start(
    params: Params, initial: Params | None = None
  ) -> dict[str, Statistics]:
    check(NetState(params, None, None, initial))
    marks = units.drawn(layers, trainable(params), initial)
    return {
      name: Statistics(
        utility=jnp.ones(mark.shape, jnp.float32),
        calls=jnp.zeros([], jnp.int32),
        drawn=jnp.copy(mark),
      )
      for name, mark in marks.items()
    }

  def step(
    key: jax.Array,
    statistics: Mapping[str, Statistics],
    params: Params,
    gradient: Params,
    *,
    target: Params | None = None,
    opt_state: Any = None,
    initial: Params | None = None,
  ) -> tuple[NetState, dict[str, Statistics]]:
    state = NetState(params, target, opt_state, initial)
    check(state)
    plain = trainable(params)
    gradient = network.check_gradient(plain, gradient)
    marks = units.drawn(layers, plain, initial)
    found, rates = {}, {}
    for hidden in units.hidden_layers(layers):
      own, mark = statistics[hidden.name], marks[hidden.name]
      g = get_layer(gradient, hidden.layer)[hidden.layer.weight]
      # What another method has drawn again is new.
      utility = jnp.where(own.drawn != mark, 1, own.utility)
      utility = decay * utility + (1 - decay) * gradient_scores(g)
      is_due = (own.calls + 1) % period == 0
      share = rate * jnp.minimum(jnp.exp(-sharpness * (utility - threshold)), 1)
      may = is_due & units.may_recycle(params, hidden)
      rates[hidden.name] = jnp.where(may, share, 0)
      found[hidden.name] = Statistics(
        jnp.where(is_due, 1, utility).astype(own.utility.dtype),
        own.calls + 1,
        jnp.copy(mark),
      )

    def change(
      key: jax.Array, state: NetState, rates: units.ByLayer
    ) -> NetState:
      fresh = network.draw(key, init, trainable(state.params))
      return state._replace(
        params=mix(layers, state.params, fresh, rates),
        target=(
          None
          if state.target is None
          else mix(layers, state.target, fresh, rates)
        ),
      )

    state = if_any(
      jnp.any(jnp.concatenate(list(rates.values())) > 0),
      change,
      lambda key, state, rates: state,
      (key, state, rates),
    )
    return state, found

  return GradientMethod(start, step)


def mix(
  layers: Sequence[Layer], params: Params, fresh: Params, rates: units.ByLayer
) -> Params:
  """w <- (1 - r_in) (1 - r_out) w + r_in w_fresh of all that learns.

  Args:
    layers: of the network.
    params: of the network, perhaps injected.
    fresh: a draw of what learns.
    rates: r of each unit, `[U]` by hidden layer.
  """
  plain = trainable(params)
  shares = units.weights_of(layers, plain, rates)
  for layer in layers:
    own = get_layer(plain, layer)
    r_in, r_out = (get_layer(share, layer)[layer.weight] for share in shares)
    w, w_fresh = (
      effective_weight(tree, layer.weight)
      for tree in (own, get_layer(fresh, layer))
    )
    w = (1 - r_in) * (1 - r_out) * w + r_in * w_fresh
    new = {layer.weight: w}
    if 'g' in own:
      changes = jnp.any((r_in > 0) | (r_out > 0), tuple(range(w.ndim - 1)))
      new = {
        layer.weight: jnp.where(changes, w, own[layer.weight]),
        'g': jnp.where(changes, norms(w), own['g']),
      }
    new = {k: x.astype(own[k].dtype) for k, x in new.items()}
    plain = put_layer(plain, layer, type(own)({**own, **new}))
  return replace_trainable(params, plain)
