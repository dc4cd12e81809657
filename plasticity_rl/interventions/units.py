"""Units of hidden layers: how they are scored, and how they are recycled.

A unit of a dense layer is a column of its weights, one of a convolution is a
channel. Where an activation makes two features of a unit (CReLU), features i
and i + U are unit i's. To recycle it is to draw its incoming weights again and
to set its outgoing ones to zero, so that it starts anew without a say in the
outputs. (Under layer normalisation the others of its layer do notice: their
mean and variance are taken with it.) Units of an ensemble are those of its
members, each of which is a layer by itself.

Which layers can be: hidden ones, all of which feed another layer. The last
layer of the encoder also feeds the frozen heads (and thawed ones) of an
injected head, whose rows must not be touched; recycling would change what they
add to the outputs. That layer is left alone as long as there are such heads:
for good where the tree has grown, seed by seed where slots are open.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from plasticity_rl import injection as core
from plasticity_rl.interventions import base
from plasticity_rl.layers import Layer
from plasticity_rl.layers import feeds
from plasticity_rl.layers import get_layer
from plasticity_rl.layers import put_layer
from plasticity_rl.measures.units import dormancy_scores as dormancy_scores
from plasticity_rl.measures.units import unit_activity as unit_activity
from plasticity_rl.types import AgentSpec
from plasticity_rl.types import Key
from plasticity_rl.types import NetSpec
from plasticity_rl.types import NetState
from plasticity_rl.types import Params
from plasticity_rl.weight_norm import effective_weight
from plasticity_rl.weight_norm import norms

COUNT = ('keep', 'reset')
# `[U]` by name of a hidden layer; `[F]` for features, a multiple of U.
ByLayer = Mapping[str, jax.Array]


# --- Scores -----------------------------------------------------------------


def over_features(layer: Layer, values: jax.Array) -> jax.Array:
  """The sum of values of features over those of each unit, `[F] -> [U]`."""
  return values.reshape(layer.features_per_unit, -1).sum(0)


def of_features(layer: Layer, by_unit: jax.Array) -> jax.Array:
  """A unit's value for each of its features, `[U] -> [F]`."""
  return jnp.tile(by_unit, layer.features_per_unit)


# --- Layers -----------------------------------------------------------------


class Hidden(NamedTuple):
  """A hidden layer and what it feeds: several where members share it."""

  layer: Layer
  followers: tuple[Layer, ...]

  @property
  def name(self) -> str:
    return self.layer.name


def hidden_layers(net: NetSpec) -> tuple[Hidden, ...]:
  """The layers whose units can be recycled, in the order of the forward pass.

  Of an injected head, those of the part that learns.
  """
  return tuple(
    Hidden(layer, feeds(layer, net.layers))
    for layer in net.layers
    if layer.hidden
  )


def may_recycle(params: Params, hidden: Hidden) -> jax.Array:
  """Whether nothing but followers that learn read this layer, bool []."""
  head = params[core.HEAD]
  between_parts = hidden.layer.path[0] != hidden.followers[0].path[0]
  if not between_parts or not isinstance(head, core.InjectedHead):
    return jnp.array(True)
  if head.thawed:
    return jnp.array(False)
  return ~jnp.any(head.signs != 0)


def rows(follower: Layer, by_feature: jax.Array) -> jax.Array:
  """A value for each input of a follower, of one for each feature `[F]`.

  Where an image `[H, W, F]` is flattened on the way, feature c feeds the rows
  c, c + F, c + 2 F, ...: the values are tiled. Zero for its side inputs.
  """
  image = follower.flattened_from
  if image is not None:
    by_feature = jnp.tile(by_feature, image[0] * image[1])
  return jnp.pad(by_feature, (0, follower.side_inputs))


def outgoing_magnitude(hidden: Hidden, plain: Params) -> jax.Array:
  """Sum of |w| over all weights that a feature feeds, `[F]`."""
  units = get_layer(plain, hidden.layer)['b'].shape[0]
  features = units * hidden.layer.features_per_unit

  def into(follower):
    w = jnp.abs(effective_weight(get_layer(plain, follower)))
    by_input = w.sum((*range(w.ndim - 2), -1))
    fed = by_input[: by_input.size - follower.side_inputs]
    return fed.reshape(-1, features).sum(0)

  return sum(into(follower) for follower in hidden.followers)


def drawn(net: NetSpec, state: NetState) -> dict[str, jax.Array]:
  """A mark of the draw that each unit comes from, `[U]` by layer.

  It is one of the unit's initial weights: another intervention that draws the
  layer again changes it, by which own states notice that units are new.
  """
  return {
    hidden.name: (w := get_layer(state.initial, hidden.layer)['w']).reshape(
      -1, w.shape[-1]
    )[0]
    for hidden in hidden_layers(net)
  }


# --- Recycling --------------------------------------------------------------


class Weights(NamedTuple):
  """Masks over what learns, trees of bool as `injection.trainable(params)`.

  Attributes:
    incoming: weights and biases into chosen units.
    outgoing: weights out of them.
  """

  incoming: Params
  outgoing: Params

  @property
  def either(self) -> Params:
    return jax.tree.map(jnp.logical_or, *self)


def weights_of(net: NetSpec, plain: Params, units: ByLayer) -> Weights:
  """The weights of `units`, bool `[U]` by layer; a layer may be left out."""
  none = jax.tree.map(lambda p: jnp.zeros(p.shape, bool), plain)
  incoming, outgoing = none, none
  for hidden in hidden_layers(net):
    if hidden.name not in units:
      continue
    mask = units[hidden.name]
    into = get_layer(none, hidden.layer)
    incoming = put_layer(
      incoming, hidden.layer, {k: x | mask for k, x in into.items()}
    )
    for follower in hidden.followers:
      out_of = get_layer(none, follower)
      fed = rows(follower, of_features(hidden.layer, mask))
      outgoing = put_layer(
        outgoing, follower, {**out_of, 'w': out_of['w'] | fed[:, None]}
      )
  return Weights(incoming, outgoing)


def recycle(
  key: Key,
  net: NetSpec,
  state: NetState,
  units: ByLayer,
  *,
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
    net: the network.
    state: its state.
    units: which ones, bool `[U]` by layer; those of `may_recycle` only.
    count: see `reset_moments`.
    means: mean features `[F]` by layer: what such a unit adds to the next
      layer is moved into that layer's biases, with each network's own weights.
  """
  is_any = jnp.any(jnp.concatenate([m.ravel() for m in units.values()]))
  return if_any(
    is_any,
    lambda key, *rest: _recycle(key, net, *rest, count=count),
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
  def run(predicate, operands):
    return jax.lax.cond(predicate, change, keep, *operands)

  @run.def_vmap
  def over_seeds(size, batched, predicate, operands):
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


def _recycle(key, net, state, units, means, *, count):
  """`recycle`, whether there is anything to do or not."""
  fresh = net.network.init(key)
  weights = weights_of(net, core.trainable(state.params), units)

  def fill(params):
    plain = core.trainable(params)
    if means is not None:
      plain = move_into_biases(net, plain, units, means)
    plain = select(weights.incoming, fresh, plain)
    without = jax.tree.map(
      lambda m, p: jnp.where(m, 0, p), weights.outgoing, plain
    )
    return core.replace_trainable(params, _same_rest(net, plain, without))

  return NetState(
    params=fill(state.params),
    target=None if state.target is None else fill(state.target),
    opt_state=reset_moments(state.opt_state, weights.either, count=count),
    initial=select(weights.incoming, fresh, state.initial),
  )


def _same_rest(net, before, after):
  """`after`, whose weights that were not set to zero multiply as before.

  Weight normalisation would scale up what is left of a unit's weights.
  """
  for layer in net.layers:
    old, new = (get_layer(tree, layer) for tree in (before, after))
    if 'g' in new:
      axes = tuple(range(new['w'].ndim - 1))
      ratio = norms(new['w']) / norms(old['w'])
      # To the bit where nothing was: a compiler's x / x may not be one.
      same = (new['w'] == old['w']).all(axes)
      g = jnp.where(same, new['g'], new['g'] * ratio)
      after = put_layer(after, layer, {**new, 'g': g})
  return after


def select(mask: Params, new: Params, old: Params) -> Params:
  """`new` where the mask says so, `old` elsewhere; trees of one structure."""
  return jax.tree.map(jnp.where, mask, new, old)


def move_into_biases(
  net: NetSpec, plain: Params, units: ByLayer, means: ByLayer
) -> Params:
  """b <- b + sum_i mean_i w_out,i over `units`: exact where h_i is constant.

  A convolution's kernel is summed over its positions (there is no padding).
  """
  for hidden in hidden_layers(net):
    chosen = of_features(hidden.layer, units[hidden.name])
    constant = jnp.where(chosen, means[hidden.name], 0)
    for follower in hidden.followers:
      own = get_layer(plain, follower)
      moved = jnp.einsum(
        '...io,i->o', effective_weight(own), rows(follower, constant)
      )
      plain = put_layer(plain, follower, {**own, 'b': own['b'] + moved})
  return plain


def reset_moments(opt_state: Any, mask: Params, *, count: str) -> Any:
  """Optimizer state with zeros for the weights of `mask`.

  Moments are found by their path in the tree, for any optax optimizer: the
  leaves below the group ('encoder' or 'head') whose path ends as that of the
  parameter does and whose shape is the parameter's. Frozen and thawed heads'
  are left alone.

  Args:
    opt_state: of `injection.grouped`, or of any optimizer of such parameters.
    mask: bool, as `injection.trainable(params)`.
    count: 'reset' also zeroes the counts of every group of which a weight is
      masked. With fresh moments and a stale count Adam's first steps are 3 to
      7 times the learning rate, since their bias is hardly corrected. With
      fresh counts the *other* weights of the group make steps of 0.15 to 0.8
      times theirs for about 1000 updates (b2 = 0.999). 'keep' leaves counts.
      The count of an optimizer of a single group is always kept, as are those
      of schedules.
  """
  by_part = {}
  for path, m in jax.tree_util.tree_leaves_with_path(mask):
    part, *rest = _names(path)
    by_part.setdefault(part, []).append((tuple(rest), m))
  is_hit = {
    part: jnp.any(jnp.stack([m.any() for _, m in leaves]))
    for part, leaves in by_part.items()
  }

  def zero(path, leaf):
    names, fields = _names(path), {getattr(k, 'name', None) for k in path}
    part = next((name for name in names if name in by_part), None)
    if part is None or fields & {'frozen', 'signs', 'thawed'}:
      return leaf
    rest = names[names.index(part) + 1 :]
    for ending, m in by_part[part]:
      if rest[-len(ending) :] == ending and leaf.shape == m.shape:
        return jnp.where(m, jnp.zeros_like(leaf), leaf)
    is_count = leaf.shape == () and jnp.issubdtype(leaf.dtype, jnp.integer)
    if count == 'reset' and is_count:
      return jnp.where(is_hit[part], jnp.zeros_like(leaf), leaf)
    return leaf

  return jax.tree_util.tree_map_with_path(zero, opt_state)


def _names(path):
  """The keys of dicts that a path runs through."""
  return tuple(key.key for key in path if hasattr(key, 'key'))


# --- Interventions that look at units ---------------------------------------


def on_features(
  spec: AgentSpec,
  nets: Sequence[str] | None,
  transform: Callable[
    [Key, NetSpec, NetState, Any, ByLayer], tuple[NetState, Any]
  ],
  init: Callable[[NetSpec, NetState], Any] = lambda net, state: (),
) -> base.Intervention:
  """An intervention that looks at the online networks' features.

  Args:
    spec: the agent.
    nets: networks to act on; by default those that the agent names. One
      without hidden layers is refused.
    transform: `(key, net, state, own, features by layer) -> (state, own)`. The
      features are those of the part that learns, on the probe batch (inside
      the loop: on the batch just learned from, after the update).
    init: `(net, state) -> own`, the intervention's own state of a network.
  """
  names = base.check_nets(spec, nets)
  base.check_able(
    names,
    'hidden units',
    {name: hidden_layers(net) for name, net in spec.nets.items()},
  )

  def init_all(state):
    return {name: init(spec.nets[name], state.nets[name]) for name in names}

  def apply(key, state, own, batch):
    params = {name: net.params for name, net in state.nets.items()}
    inputs = spec.inputs(params, batch)
    nets, own = dict(state.nets), dict(own)
    keys = jax.random.split(key, len(names))
    for name, k in zip(names, keys, strict=True):
      net = spec.nets[name]
      features = net.network.apply(params[name], inputs[name]).layers
      nets[name], own[name] = transform(
        k, net, state.nets[name], own[name], features
      )
    return state._replace(nets=nets), own

  return base.Intervention(init_all, apply, nets_only=True)
