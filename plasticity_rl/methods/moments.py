"""What an optimizer keeps of single weights, set to zero."""

from typing import Any

import jax
import jax.numpy as jnp

from plasticity_rl.types import Params

COUNT = ('keep', 'reset')


def reset_moments(opt_state: Any, mask: Params, *, count: str) -> Any:
  """Optimizer state with zeros for the weights of `mask`.

  Moments are found by their path in the tree, for any optax optimizer: the
  leaves below the first key of the parameter's path ('encoder' or 'head' in an
  agent's network) whose path ends as that of the parameter does and whose
  shape is the parameter's. Frozen and thawed heads' are left alone.

  Args:
    opt_state: of `injection.grouped`, or of any optimizer of such parameters;
      None, which stays None.
    mask: bool, as `split.trainable(params)`.
    count: 'reset' also zeroes the counts of every group of which a weight is
      masked. With fresh moments and a stale count Adam's first steps are 3 to
      7 times the learning rate, since their bias is hardly corrected. With
      fresh counts the *other* weights of the group make steps of 0.15 to 0.8
      times theirs for about 1000 updates (b2 = 0.999). 'keep' leaves counts.
      The count of an optimizer of a single group is always kept, as are those
      of schedules.
  """
  by_part: dict[str, list[tuple[tuple[str, ...], jax.Array]]] = {}
  for path, m in jax.tree_util.tree_leaves_with_path(mask):
    part, *rest = _names(path)
    by_part.setdefault(part, []).append((tuple(rest), m))
  for leaves in by_part.values():
    # The whole path of a nested layer before what it may end in.
    leaves.sort(key=lambda leaf: -len(leaf[0]))
  is_hit = {
    part: jnp.any(jnp.stack([m.any() for _, m in leaves]))
    for part, leaves in by_part.items()
  }

  def zero(path: tuple, leaf: jax.Array) -> jax.Array:
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


def _names(path: tuple) -> tuple[str, ...]:
  """The keys of dicts that a path runs through."""
  return tuple(key.key for key in path if hasattr(key, 'key'))
