"""Which heads can be injected: arrays that learn, without a state."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from plasticity_rl.types import Params


def check_head(head: Params) -> None:
  """Refuses what cannot be copied, frozen and summed.

  Raises:
    ValueError: a head without parameters, with leaves that are no
      floating-point arrays, or with a state, such as the running statistics
      of a batch norm: nobody would update those of the frozen copies.
  """
  leaves = jax.tree_util.tree_leaves_with_path(head)
  if not leaves:
    raise ValueError(
      'the head has no parameters: there is nothing to inject. Move layers '
      'from the encoder to the head'
    )
  for path, leaf in leaves:
    kind = getattr(leaf, 'dtype', type(leaf))
    if not hasattr(leaf, 'dtype') or not jnp.issubdtype(kind, jnp.floating):
      raise ValueError(
        'only heads of floating-point arrays can be injected, not modules '
        'with a state or with functions for leaves: see the leaf '
        f'{jax.tree_util.keystr(path)} of {kind}'
      )
  state = _state(head)
  if state:
    raise ValueError(
      f'the head keeps a state, {state}, which nobody would update in its '
      'frozen copies: only heads whose leaves all learn can be injected. '
      'Layer norm has no state'
    )


def _state(head: Params) -> str:
  """The first part that is a state by its library's conventions, or ''."""
  found: list[str] = []

  def look(node: Any) -> bool:
    # Flax linen: collections of variables beside 'params'.
    if isinstance(node, Mapping) and isinstance(node.get('params'), Mapping):
      found.extend(sorted({*node} - {'params'}))
    # Flax nnx: variables that are not of the class Param.
    kinds = [c for c in type(node).__mro__ if c.__module__.startswith('flax.')]
    names = [c.__name__ for c in kinds]
    if 'Variable' in names and 'Param' not in names:
      found.append(names[0])
    return False

  jax.tree.leaves(head, is_leaf=look)
  return found[0] if found else ''
