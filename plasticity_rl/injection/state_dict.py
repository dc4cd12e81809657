"""Injected trees as nested dicts of arrays, for any library's checkpoints."""

from collections.abc import Mapping
from typing import Any

import jax

from plasticity_rl.split import InjectedHead
from plasticity_rl.types import Params

_MARK = 'injected_head'


def to_state_dict(tree: Params) -> Params:
  """The tree with every `InjectedHead` as a dict of its fields.

  Checkpoints that are read without a target (`flax.serialization`, Orbax,
  safetensors) know dicts and arrays alone. Works on parameters and on the
  state of an optimizer.

  Args:
    tree: parameters or an optimizer's state, injected or not.

  Returns:
    The same arrays; `{'injected_head': {'trainable': ..., 'frozen': ...,
    'signs': [K], 'thawed': {'0': ...}}}` in the place of each injected head.

  Example:
    >>> import jax.numpy as jnp
    >>> from plasticity_rl import injection
    >>> head = injection.InjectedHead(
    ...   jnp.ones([2]), jnp.ones([2, 2]), jnp.array([1.0, -1.0])
    ... )
    >>> saved = injection.to_state_dict(
    ...   {'encoder': jnp.ones([3]), 'head': head}
    ... )
    >>> sorted(saved['head']['injected_head'])
    ['frozen', 'signs', 'thawed', 'trainable']
    >>> restored = injection.from_state_dict(saved)
    >>> isinstance(restored['head'], injection.InjectedHead)
    True
  """

  def convert(node: Any) -> Any:
    if not isinstance(node, InjectedHead):
      return node
    fields = {
      'trainable': node.trainable,
      'frozen': node.frozen,
      'signs': node.signs,
      'thawed': {str(i): head for i, head in enumerate(node.thawed)},
    }
    return {_MARK: fields}

  return jax.tree.map(
    convert, tree, is_leaf=lambda x: isinstance(x, InjectedHead)
  )


def from_state_dict(tree: Params) -> Params:
  """The inverse of `to_state_dict`, after a checkpoint was read.

  Args:
    tree: what `to_state_dict` gave, as a library read it again. Empty dicts,
      which some libraries drop, may be missing.

  Returns:
    The tree with every `InjectedHead` in its place.

  Raises:
    ValueError: an injected head with other fields.
  """

  def convert(node: Any) -> Any:
    if not _is_marked(node):
      return node
    fields = dict(node[_MARK])
    thawed = fields.pop('thawed', None) or {}
    if {*fields} != {'trainable', 'frozen', 'signs'}:
      raise ValueError(
        f'{_MARK}: expected trainable, frozen and signs, found {sorted(fields)}'
      )
    order = sorted(thawed, key=int)
    return InjectedHead(**fields, thawed=tuple(thawed[i] for i in order))

  return jax.tree.map(convert, tree, is_leaf=_is_marked)


def _is_marked(node: Any) -> bool:
  return isinstance(node, Mapping) and [*node] == [_MARK]
