"""Layers of a network: where their weights are, and what they feed.

Interventions, diagnostics and regularizers read and write layers through these
functions alone, so that members of an ensemble are layers like others.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp


@dataclasses.dataclass(frozen=True)
class Layer:
  """A layer with weights, in the order of the forward pass.

  An ensemble keeps the weights of all its members in the same leaves, stacked.
  Each member's share is a `Layer` of its own, so that whatever acts on layers
  acts on every member by itself: `get_layer` and `put_layer` read and write
  them.

  Attributes:
    name: key of its features in `NetworkOutput.layers`; of member m of an
      ensemble it ends in '.m'.
    path: where its `{'w', 'b'}` are in the parameters, and beside them what
      normalises it (`g`, `scale`, `offset`, each `[units]`); the first element
      is 'encoder' or 'head'.
    hidden: whether its output passes a non-linearity and feeds the next layer;
      false for the last one, whose outputs are predictions.
    flattened_from: height, width and channels (HWC) of its input where that is
      a flattened image, so that feature c of the layer before feeds rows
      `c::channels` of `w`; None otherwise.
    features_per_unit: how many features its activation makes of a unit, the
      last axis of `w`; features i, i + units, ... are those of unit i.
    member: its index on the leading axis of what is at `path`; None where that
      is no ensemble's.
    side_inputs: how many of the last rows of `w` are fed by an input of the
      network (an action) rather than by the layer before.
  """

  name: str
  path: tuple[str, ...]
  hidden: bool = True
  flattened_from: tuple[int, int, int] | None = None
  features_per_unit: int = 1
  member: int | None = None
  side_inputs: int = 0


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
  return {**tree, path[0]: put_path(tree[path[0]], path[1:], value)}


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
