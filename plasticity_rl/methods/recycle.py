"""Recycling of units: they start anew without a say in the outputs.

To recycle a unit is to draw its incoming weights again and to set its outgoing
ones to zero. (Under layer normalisation the others of its layer do notice:
their mean and variance are taken with it.)
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from plasticity_rl.layers import Layer
from plasticity_rl.layers import get_layer
from plasticity_rl.layers import put_layer
from plasticity_rl.methods.moments import reset_moments
from plasticity_rl.methods.network import Init
from plasticity_rl.methods.network import draw
from plasticity_rl.methods.units import ByLayer
from plasticity_rl.methods.units import hidden_layers
from plasticity_rl.methods.units import of_features
from plasticity_rl.methods.units import rows
from plasticity_rl.methods.units import weights_of
from plasticity_rl.split import replace_trainable
from plasticity_rl.split import trainable
from plasticity_rl.types import Key
from plasticity_rl.types import NetState
from plasticity_rl.types import Params
from plasticity_rl.weight_norm import effective_weight
from plasticity_rl.weight_norm import norms


def recycle(
  key: Key,
  state: NetState,
  layers: Sequence[Layer],
  units: ByLayer,
  *,
  init: Init,
  count: str,
  means: ByLayer | None = None,
) -> NetState:
  """Lets units start anew, in online and target alike. The key is consumed.

  Incoming weights and biases are one fresh draw of their own layer's
  initialiser, outgoing weights are zero (also where they lead into a unit that
  is drawn again), and the optimizer's moments of exactly these weights are
  zero.

  Args:
    key: seeds the draw.
    state: the network's, of which all but the parameters may be None.
    layers: of the network, in the order of the forward pass.
    units: which ones, bool `[U]` by layer; those of `may_recycle` only.
    init: `(key) -> params`, the network's initialiser.
    count: see `reset_moments`.
    means: mean features `[F]` by layer: what such a unit adds to the next
      layer is moved into that layer's biases, with each network's own weights.
  """
  is_any = jnp.any(jnp.concatenate([m.ravel() for m in units.values()]))
  return if_any(
    is_any,
    lambda key, *rest: _recycle(key, layers, init, *rest, count=count),
    lambda key, state, units, means: state,
    (key, state, dict(units), means and dict(means)),
  )


def if_any(
  predicate: jax.Array, change: Callable, keep: Callable, operands: tuple
) -> Any:
  """`change(*operands)` if the predicate is true for any seed, else `keep`.

  Both return the same where the predicate is false. Under `vmap` a `lax.cond`
  would always compute both; this looks whether there is anything to do.
  """

  @jax.custom_batching.custom_vmap
  def run(predicate: jax.Array, operands: tuple) -> Any:
    return jax.lax.cond(predicate, change, keep, *operands)

  @run.def_vmap
  def over_seeds(
    size: int, batched: list, predicate: jax.Array, operands: tuple
  ) -> tuple[Any, Any]:
    operands = jax.tree.map(
      lambda x, is_batched: (
        x if is_batched else jnp.broadcast_to(x, (size, *jnp.shape(x)))
      ),
      operands,
      batched[1],
    )
    result = if_any(predicate.any(), jax.vmap(change), jax.vmap(keep), operands)
    return result, jax.tree.map(lambda _: True, result)

  return run(predicate, operands)


def _recycle(
  key: Key,
  layers: Sequence[Layer],
  init: Init,
  state: NetState,
  units: ByLayer,
  means: ByLayer | None,
  *,
  count: str,
) -> NetState:
  """`recycle`, whether there is anything to do or not."""
  plain = trainable(state.params)
  fresh = draw(key, init, plain)
  weights = weights_of(layers, plain, units)

  def fill(params: Params) -> Params:
    plain = trainable(params)
    if means is not None:
      plain = move_into_biases(layers, plain, units, means)
    plain = select(weights.incoming, fresh, plain)
    without = jax.tree.map(
      lambda m, p: jnp.where(m, 0, p), weights.outgoing, plain
    )
    return replace_trainable(params, _same_rest(layers, plain, without))

  return NetState(
    params=fill(state.params),
    target=None if state.target is None else fill(state.target),
    opt_state=reset_moments(state.opt_state, weights.either, count=count),
    initial=(
      None
      if state.initial is None
      else select(weights.incoming, fresh, state.initial)
    ),
  )


def _same_rest(
  layers: Sequence[Layer], before: Params, after: Params
) -> Params:
  """`after`, whose weights that were not set to zero multiply as before.

  Weight normalisation would scale up what is left of a unit's weights.
  """
  for layer in layers:
    old, new = (get_layer(tree, layer) for tree in (before, after))
    if 'g' in new:
      w, was = new[layer.weight], old[layer.weight]
      axes = tuple(range(w.ndim - 1))
      ratio = norms(w) / norms(was)
      # To the bit where nothing was: a compiler's x / x may not be one.
      same = (w == was).all(axes)
      g = jnp.where(same, new['g'], new['g'] * ratio)
      after = put_layer(after, layer, {**new, 'g': g})
  return after


def select(mask: Params, new: Params, old: Params) -> Params:
  """`new` where the mask says so, `old` elsewhere; trees of one structure."""
  return jax.tree.map(jnp.where, mask, new, old)


def move_into_biases(
  layers: Sequence[Layer], plain: Params, units: ByLayer, means: ByLayer
) -> Params:
  """b <- b + sum_i mean_i w_out,i over `units`: exact where h_i is constant.

  A convolution's kernel is summed over its positions (there is no padding).
  """
  for hidden in hidden_layers(layers):
    chosen = of_features(hidden.layer, units[hidden.name])
    constant = jnp.where(chosen, means[hidden.name], 0)
    for follower in hidden.followers:
      own = get_layer(plain, follower)
      w = effective_weight(own, follower.weight)
      moved = jnp.einsum('...io,i->o', w, rows(follower, w.shape[-2], constant))
      bias = own[follower.bias] + moved
      plain = put_layer(plain, follower, {**own, follower.bias: bias})
  return plain
