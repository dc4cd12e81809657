"""Units of hidden layers, and which weights are theirs.

A unit of a dense layer is a column of its weights, one of a convolution is a
channel. Where an activation makes two features of a unit (CReLU), features i
and i + U are unit i's. Units of an ensemble are those of its members, each of
which is a layer by itself.

Units of hidden layers can be recycled, all of which feed another layer. The
last layer of the encoder also feeds the frozen heads (and thawed ones) of an
injected head, whose rows must not be touched; recycling would change what they
add to the outputs. That layer is left alone as long as there are such heads:
for good where the tree has grown, seed by seed where slots are open.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp

from plasticity_rl.layers import INPUT_NORM
from plasticity_rl.layers import Layer
from plasticity_rl.layers import feeds
from plasticity_rl.layers import get_layer
from plasticity_rl.layers import put_layer
from plasticity_rl.split import HEAD
from plasticity_rl.split import InjectedHead
from plasticity_rl.types import Params
from plasticity_rl.weight_norm import effective_weight

# `[U]` by name of a hidden layer; `[F]` for features, a multiple of U.
ByLayer = Mapping[str, jax.Array]


def over_features(layer: Layer, values: jax.Array) -> jax.Array:
  """The sum of values of features over those of each unit, `[F] -> [U]`."""
  return values.reshape(layer.features_per_unit, -1).sum(0)


def of_features(layer: Layer, by_unit: jax.Array) -> jax.Array:
  """A unit's value for each of its features, `[U] -> [F]`."""
  return jnp.tile(by_unit, layer.features_per_unit)


class Hidden(NamedTuple):
  """A hidden layer and what it feeds: several where members share it."""

  layer: Layer
  followers: tuple[Layer, ...]

  @property
  def name(self) -> str:
    return self.layer.name


def hidden_layers(layers: Sequence[Layer]) -> tuple[Hidden, ...]:
  """The layers whose units can be recycled, in the order of the forward pass.

  Of an injected head, those of the part that learns.
  """
  return tuple(
    Hidden(layer, feeds(layer, layers)) for layer in layers if layer.hidden
  )


def may_recycle(params: Params, hidden: Hidden) -> jax.Array:
  """Whether nothing but followers that learn read this layer, bool []."""
  head = params.get(HEAD)
  between_parts = hidden.layer.path[0] != hidden.followers[0].path[0]
  if not between_parts or not isinstance(head, InjectedHead):
    return jnp.array(True)
  if head.thawed:
    return jnp.array(False)
  return ~jnp.any(head.signs != 0)


def rows(follower: Layer, inputs: int, by_feature: jax.Array) -> jax.Array:
  """A value for each of a follower's inputs, of one for each feature `[F]`.

  Where an image `[H, W, F]` is flattened on the way, feature c feeds the rows
  c, c + F, c + 2 F, ...: the values are tiled. Zero for its side inputs.
  """
  positions = (inputs - follower.side_inputs) // by_feature.size
  by_feature = jnp.tile(by_feature, positions)
  return jnp.pad(by_feature, (0, follower.side_inputs))


def outgoing_magnitude(hidden: Hidden, plain: Params) -> jax.Array:
  """Sum of |w| over all weights that a feature feeds, `[F]`."""
  layer = hidden.layer
  units = get_layer(plain, layer)[layer.weight].shape[-1]
  features = units * layer.features_per_unit

  def into(follower: Layer) -> jax.Array:
    own = get_layer(plain, follower)
    w = jnp.abs(effective_weight(own, follower.weight))
    by_input = w.sum((*range(w.ndim - 2), -1))
    fed = by_input[: by_input.size - follower.side_inputs]
    return fed.reshape(-1, features).sum(0)

  return jnp.asarray(sum(into(follower) for follower in hidden.followers))


def drawn(
  layers: Sequence[Layer], params: Params, initial: Params | None
) -> dict[str, jax.Array]:
  """A mark of the draw that each unit comes from, `[U]` by layer.

  It is one of the unit's initial weights: another method that draws the layer
  again changes it, by which statistics notice that units are new. Without
  initial weights nothing is noticed: the marks are zeros.

  Args:
    layers: of the network.
    params: of the network, of which the part that learns.
    initial: the same as they were drawn, or None.
  """

  def mark(layer: Layer) -> jax.Array:
    w = get_layer(params if initial is None else initial, layer)[layer.weight]
    first = w.reshape(-1, w.shape[-1])[0]
    return jnp.zeros_like(first) if initial is None else first

  return {hidden.name: mark(hidden.layer) for hidden in hidden_layers(layers)}


class Weights(NamedTuple):
  """Values of units at their weights, trees as `split.trainable(params)`.

  Attributes:
    incoming: at weights and biases into each unit.
    outgoing: at weights out of it.
  """

  incoming: Params
  outgoing: Params

  @property
  def either(self) -> Params:
    return jax.tree.map(jnp.logical_or, *self)


def weights_of(
  layers: Sequence[Layer], plain: Params, units: ByLayer
) -> Weights:
  """The weights of `units`, `[U]` by layer; a layer may be left out.

  Of bools they are masks; numbers must not be negative, and are zero elsewhere.
  """
  dtype = jnp.result_type(*units.values()) if units else bool
  none = jax.tree.map(lambda p: jnp.zeros(p.shape, dtype), plain)
  incoming, outgoing = none, none
  for hidden in hidden_layers(layers):
    if hidden.name not in units:
      continue
    mask = units[hidden.name]
    into = get_layer(none, hidden.layer)
    of_units = {
      k: jnp.maximum(x, mask) for k, x in into.items() if k not in INPUT_NORM
    }
    incoming = put_layer(incoming, hidden.layer, {**into, **of_units})
    for follower in hidden.followers:
      out_of = get_layer(none, follower)
      w = out_of[follower.weight]
      fed = rows(follower, w.shape[-2], of_features(hidden.layer, mask))
      outgoing = put_layer(
        outgoing,
        follower,
        {**out_of, follower.weight: jnp.maximum(w, fed[:, None])},
      )
  return Weights(incoming, outgoing)
