"""A network as a method is given it: what is refused, and a fresh draw."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from plasticity_rl import checks
from plasticity_rl.errors import UserError
from plasticity_rl.layers import INPUT_NORM
from plasticity_rl.layers import Layer
from plasticity_rl.layers import get_layer
from plasticity_rl.layers import get_path
from plasticity_rl.methods.units import hidden_layers
from plasticity_rl.split import trainable
from plasticity_rl.types import Key
from plasticity_rl.types import NetState
from plasticity_rl.types import Params

Init = Callable[[Key], Params]


def draw(key: Key, init: Init, like: Params) -> Params:
  """A draw of the initialiser, in the types of `like`. The key is consumed.

  Raises:
    UserError: it is of another structure or other shapes than `like`.
  """
  if not callable(init):
    raise UserError(
      f'init: expected a function (key) -> params, found {type(init).__name__}'
    )
  fresh = init(key)
  checks.alike('init(key)', fresh, 'params', like)
  return jax.tree.map(lambda x, p: jnp.asarray(x, p.dtype), fresh, like)


def check_state(state: NetState) -> None:
  """Refuses a network whose trees are no nested dicts of arrays, all alike.

  Raises:
    UserError: `params` are no nested dicts of arrays, or `target` or `initial`
      differs from what learns of them in structure or shapes.
  """
  if not isinstance(state.params, Mapping):
    raise UserError(
      'params: expected nested dicts of arrays, found'
      f' {type(state.params).__name__}'
    )
  plain = trainable(state.params)
  for path, x in jax.tree_util.tree_leaves_with_path(plain):
    if not hasattr(x, 'shape') or not hasattr(x, 'dtype'):
      raise UserError(
        f'params{jax.tree_util.keystr(path)}: expected an array, found'
        f' {type(x).__name__}'
      )
  if state.target is not None:
    checks.alike('target', trainable(state.target), 'params', plain)
  if state.initial is not None:
    checks.alike('initial', state.initial, 'params', plain)


def check_path(params: Params, path: Sequence[str], name: str) -> None:
  """Refuses a path that leads nowhere.

  Raises:
    UserError: a key of the path is missing; the message has those that are
      there.
  """
  for depth in range(len(path)):
    node = get_path(params, path[:depth])
    if not isinstance(node, Mapping) or path[depth] not in node:
      there = list(node) if isinstance(node, Mapping) else type(node).__name__
      raise UserError(
        f'{name}: params have no {path[depth]!r} at {list(path[:depth])}:'
        f' there is {there}'
      )


def check_layers(
  params: Params, layers: Sequence[Layer], *, biases: bool = False
) -> None:
  """Refuses layers that the parameters do not have, or not in this order.

  Args:
    params: what learns.
    layers: as they were declared.
    biases: whether layers that follow a hidden one need a bias.

  Raises:
    UserError: layers that do not fit the parameters or one another.
  """
  check_weights(params, layers)
  if not any(layer.hidden for layer in layers):
    raise UserError('layers: none is hidden, so that there is no unit')
  for hidden in hidden_layers(layers):
    if not hidden.followers:
      raise UserError(
        f'layers: {hidden.name!r} is hidden but feeds no other layer; the last'
        ' one has hidden=False'
      )
    for follower in hidden.followers:
      _check_feeds(params, hidden.layer, follower)
      if biases and follower.bias is None:
        raise UserError(
          f'layers: {follower.name!r} needs a bias, into which mean features of'
          ' replaced units are moved'
        )


def check_weights(params: Params, layers: Sequence[Layer]) -> None:
  """Refuses layers that the parameters do not have.

  Raises:
    UserError: no layers, or one that does not fit the parameters.
  """
  layers = tuple(layers)
  if not layers or not all(isinstance(layer, Layer) for layer in layers):
    raise UserError(
      'layers: expected Layers in the order of the forward pass, found'
      f' {layers!r}; see declare_layers'
    )
  names = [layer.name for layer in layers]
  if len(set(names)) != len(names):
    raise UserError(f'layers: a name is there twice: {names}')
  for layer in layers:
    _check_layer(params, layer)


def check_gradient(params: Params, gradient: Any) -> Params:
  """A gradient by what learns, given by that or by all of the parameters.

  Raises:
    UserError: it differs from what learns in structure or shapes, or is not
      finite.
  """
  found = checks.tree('gradient', trainable(gradient))
  checks.alike('gradient', found, 'params', params)
  return found


def check_features(
  params: Params, layers: Sequence[Layer], features: Mapping[str, Any]
) -> dict[str, jax.Array]:
  """The features of each hidden layer, `[B, ..., F]` by name, as arrays.

  Raises:
    UserError: a layer's are missing, not finite, or not as many as its units.
  """
  if not isinstance(features, Mapping):
    raise UserError(
      'features: expected those of each hidden layer by its name, found'
      f' {type(features).__name__}'
    )
  found = {}
  for hidden in hidden_layers(layers):
    if hidden.name not in features:
      raise UserError(
        f'features: none of layer {hidden.name!r}: there are {list(features)}'
      )
    name = f'features[{hidden.name!r}]'
    h = checks.features(features[hidden.name], name)
    wanted = _features(params, hidden.layer)
    if h.shape[-1] != wanted:
      raise UserError(
        f'{name}: expected [B, ..., {wanted}], as many as the layer has'
        f' features, found shape {h.shape}'
      )
    found[hidden.name] = h
  return found


def _features(params: Params, layer: Layer) -> int:
  units = get_layer(params, layer)[layer.weight].shape[-1]
  return units * layer.features_per_unit


def _check_layer(params: Params, layer: Layer) -> None:
  where = f'layer {layer.name!r}'
  check_path(params, (*layer.path, layer.weight), where)
  if layer.bias is not None:
    check_path(params, (*layer.path, layer.bias), where)
  own = get_layer(params, layer)
  w = own[layer.weight]
  if w.ndim < 2:
    raise UserError(
      f'{where}: {layer.weight!r} must be weights [..., inputs, units], found'
      f' shape {w.shape}'
    )
  for key, x in own.items():
    shape = getattr(x, 'shape', None)
    if key in INPUT_NORM:
      continue
    if key != layer.weight and shape != (w.shape[-1],):
      raise UserError(
        f'{where}: {key!r} beside its weights must be of shape'
        f' {(w.shape[-1],)}, one value for each unit, found {shape}'
      )


def _check_feeds(params: Params, layer: Layer, follower: Layer) -> None:
  w = get_layer(params, follower)[follower.weight]
  inputs = w.shape[-2] - follower.side_inputs
  features = _features(params, layer)
  fits = inputs == features if w.ndim > 2 else inputs % features == 0
  if inputs <= 0 or not fits:
    raise UserError(
      f'layers: {follower.name!r} has {inputs} inputs but follows'
      f' {layer.name!r} of {features} features; are they in the order of the'
      ' forward pass?'
    )
