"""Layers of a network: where their weights are, and what they feed.

Interventions, diagnostics and regularizers read and write layers through these
functions alone, so that members of an ensemble are layers like others.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from plasticity_rl.errors import UserError

# Keys, beside a layer's weights, of what normalises its inputs, each
# `[inputs]`. All other keys hold one value for each unit.
INPUT_NORM = ('input_scale', 'input_offset')


@dataclasses.dataclass(frozen=True)
class Layer:
  """A layer with weights, in the order of the forward pass.

  An ensemble keeps the weights of all its members in the same leaves, stacked.
  Each member's share is a `Layer` of its own, so that whatever acts on layers
  acts on every member by itself: `get_layer` and `put_layer` read and write
  them.

  Attributes:
    name: key of its features; of member m of an ensemble it ends in '.m'.
    path: where its weights are in the parameters, keys of nested dicts. Beside
      them may be what normalises it (`g`, `scale`, `offset`, each `[units]`)
      and its inputs (`INPUT_NORM`, each `[inputs]`).
      In an agent's network the first key is 'encoder' or 'head'.
    hidden: whether its output passes a non-linearity and feeds the next layer
      alone; false for the last one, whose outputs are predictions, and where
      a sum that later layers read as well is made of the output.
    features_per_unit: how many features its activation makes of a unit, the
      last axis of its weights; features i, i + units, ... are those of unit i.
    member: its index on the leading axis of what is at `path`; None where that
      is no ensemble's.
    side_inputs: how many of the last rows of its weights are fed by an input of
      the network (an action) rather than by the layer before.
    weight: key of its weights, `[inputs, units]` of a dense layer, `[height,
      width, inputs, units]` of a convolution: 'kernel' in Flax, 'w' in Haiku.
    bias: key of its bias, `[units]`; None for a layer without one.
    bounds: the range of its activation, (-1, 1) of tanh; None where that has no
      bounds, or where nothing saturates at them.

  Raises:
    UserError: a path that is no sequence of keys.

  Example:
    >>> import plasticity_rl as pl
    >>> output = pl.Layer(
    ...   'output',
    ...   path=('params', 'Dense_1'),
    ...   hidden=False,
    ...   weight='kernel',
    ...   bias='bias',
    ... )
    >>> output.hidden
    False
  """

  name: str
  path: tuple[str, ...]
  hidden: bool = True
  features_per_unit: int = 1
  member: int | None = None
  side_inputs: int = 0
  weight: str = 'w'
  bias: str | None = 'b'
  bounds: tuple[float, float] | None = None

  def __post_init__(self) -> None:
    object.__setattr__(self, 'path', _as_path(self.name, self.path))


def declare_layers(
  paths: Mapping[str, Sequence[str]],
  *,
  weight: str = 'w',
  bias: str | None = 'b',
) -> tuple[Layer, ...]:
  """The layers of a network in which each feeds the next.

  A dense layer may follow a convolution: its input is then the flattened image
  `[height, width, channels]`. For members of an ensemble, activations that
  make several features of a unit, or inputs that enter in the middle, make a
  `Layer` for each.

  Args:
    paths: where each layer is in the parameters, by the name of its features,
      in the order of the forward pass. All but the last are hidden.
    weight: key of the weights of each layer: 'kernel' in Flax, 'w' in Haiku.
    bias: key of the biases: 'bias' in Flax, 'b' in Haiku; None without them.

  Returns:
    A `Layer` for each, in the same order.

  Raises:
    UserError: no layers, or a path that is no sequence of keys.

  Example:
    >>> import plasticity_rl as pl
    >>> layers = pl.declare_layers(
    ...   {
    ...     'hidden': ('params', 'Dense_0'),
    ...     'output': ('params', 'Dense_1'),
    ...   },
    ...   weight='kernel',
    ...   bias='bias',
    ... )
    >>> [(layer.name, layer.hidden) for layer in layers]
    [('hidden', True), ('output', False)]
  """
  if not isinstance(paths, Mapping) or not paths:
    raise UserError(
      'paths: expected a path for each layer, such as {"hidden": ("params",'
      f' "Dense_0"), ...}}, found {paths!r}'
    )
  last = list(paths)[-1]
  return tuple(
    Layer(
      name,
      _as_path(name, path),
      hidden=name != last,
      weight=weight,
      bias=bias,
    )
    for name, path in paths.items()
  )


def _as_path(name: str, path: Sequence[str]) -> tuple[str, ...]:
  if isinstance(path, str) or not isinstance(path, Sequence):
    raise UserError(
      f'layer {name!r}: path must be a sequence of keys: {path!r}'
    )
  return tuple(path)


def feeds(layer: Layer, layers: Sequence[Layer]) -> tuple[Layer, ...]:
  """Those of `layers` that the output of `layer` is fed to.

  They share the next path; of an ensemble's, the same member, or every member
  where `layer` is common to them. The last one feeds none.
  """
  paths = list(dict.fromkeys(x.path for x in layers))
  following = paths[paths.index(layer.path) + 1 :][:1]
  return tuple(
    x
    for x in layers
    if x.path in following
    and (None in (x.member, layer.member) or x.member == layer.member)
  )


def get_path(tree: Any, path: Sequence[str]) -> Any:
  """The subtree at `path` of nested dicts."""
  for key in path:
    tree = tree[key]
  return tree


def put_path(tree: Any, path: Sequence[str], value: Any) -> Any:
  """`tree` with the subtree at `path` replaced."""
  if not path:
    return value
  key, *rest = path
  # Of its own type, such as Flax's FrozenDict.
  return type(tree)({**tree, key: put_path(tree[key], rest, value)})


def get_layer(tree: Any, layer: Layer) -> Any:
  """What a tree holds of a layer: of an ensemble's, of its member."""
  found = get_path(tree, layer.path)
  if layer.member is None:
    return found
  return jax.tree.map(lambda x: x[layer.member], found)


def put_layer(tree: Any, layer: Layer, value: Any) -> Any:
  """`tree` with what it holds of a layer replaced."""
  if layer.member is not None:
    value = jax.tree.map(
      lambda whole, own: jnp.asarray(whole).at[layer.member].set(own),
      get_path(tree, layer.path),
      value,
    )
  return put_path(tree, layer.path, value)
