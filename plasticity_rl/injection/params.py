"""Parameters: heads that are injected, in a tree that grows or in slots."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from plasticity_rl.injection.heads import check_head
from plasticity_rl.split import HEAD
from plasticity_rl.split import InjectedHead
from plasticity_rl.split import SplitNetwork
from plasticity_rl.types import Params


def inject_params(
  key: jax.Array,
  net: SplitNetwork,
  params: Params,
  *,
  third_term: bool = True,
  freeze_original: bool = True,
  slots: bool = False,
) -> Params:
  """Injects a fresh head into `params`. The key is consumed.

  Call it with the same key on the target network, so that both receive the
  same draw; the target's frozen theta is the target's own.

  Args:
    key: seeds the fresh draw.
    net: the split network.
    params: its parameters, `{'encoder': ..., 'head': ...}`.
    third_term: whether theta'_2 is subtracted. Without it (an ablation) the
      predictions jump by those of a fresh head.
    freeze_original: whether theta is frozen; otherwise (an ablation) it goes
      on learning beside the new head.
    slots: whether to open one of the slots of `with_slots` rather than to grow
      the tree. With every slot open nothing changes.

  Returns:
    Parameters of the new structure (with `slots`, of the same).

  Raises:
    ValueError: params that are not of a split network, a head without
      parameters or with a state, or `slots` where there are none.

  Example:
    >>> import jax
    >>> import jax.numpy as jnp
    >>> import plasticity_rl as pl
    >>> def init(key, x):
    ...   return jax.random.normal(key, (x.shape[-1], 2))
    >>> def apply(w, x):
    ...   return x @ w
    >>> net = pl.SplitNetwork(init, apply, init, apply)
    >>> x = jnp.ones([5, 3])
    >>> params = net.init(jax.random.PRNGKey(0), x)
    >>> injected = pl.inject_params(jax.random.PRNGKey(1), net, params)
    >>> bool(jnp.allclose(net.apply(injected, x), net.apply(params, x)))
    True
  """
  if not isinstance(params, Mapping) or HEAD not in params:
    raise ValueError(
      "params: expected {'encoder': ..., 'head': ...} of a SplitNetwork, found"
      f' {list(params) if isinstance(params, Mapping) else type(params)}'
    )
  head = params[HEAD]
  fresh = net.draw_head(key)
  check_head(fresh)
  current = head.trainable if isinstance(head, InjectedHead) else head
  structures: list[Any] = [jax.tree.structure(x) for x in (fresh, current)]
  drawn, there = structures
  if drawn != there:
    raise ValueError(
      'the head that was drawn and the head that is there differ in '
      f'structure: {drawn} and {there}'
    )
  if slots:
    if not freeze_original:
      raise ValueError('slots hold frozen heads: freeze_original must be True')
    return {**params, HEAD: _open_slot(head, fresh, third_term)}
  added = [(current, 1.0)] if freeze_original else []
  added += [(fresh, -1.0)] if third_term else []
  thawed = () if freeze_original else (current,)
  if isinstance(head, InjectedHead):
    thawed = head.thawed + thawed
  frozen, signs = _append(head, added, like=fresh)
  return {**params, HEAD: InjectedHead(fresh, frozen, signs, thawed)}


def _append(
  head: Params, added: list[tuple[Params, float]], like: Params
) -> tuple[Params, jax.Array]:
  """The frozen stack of `head` and its signs, with `added` at the end."""
  stacks, signs = [], []
  if isinstance(head, InjectedHead):
    stacks, signs = [head.frozen], [head.signs]
  stacks += [jax.tree.map(lambda x: x[None], p) for p, _ in added]
  signs += [jnp.full([1], sign, jnp.float32) for _, sign in added]
  if not stacks:  # The two-term ablation of an unfrozen head.
    empty = jax.tree.map(lambda x: jnp.zeros((0, *x.shape), x.dtype), like)
    return empty, jnp.zeros([0], jnp.float32)
  return (
    jax.tree.map(lambda *x: jnp.concatenate(x), *stacks),
    jnp.concatenate(signs),
  )


def with_slots(params: Params, num_injections: int) -> Params:
  """Allocates closed slots for `num_injections` injections.

  The structure then never changes, so that on a seed axis one seed may be
  injected and another not; the price is the forward pass of every slot from
  the start.
  """
  if isinstance(params[HEAD], InjectedHead):
    raise ValueError('the head is injected already')
  if num_injections < 1:
    raise ValueError(f'num_injections must be positive: {num_injections}')
  check_head(params[HEAD])
  frozen = jax.tree.map(
    lambda x: jnp.zeros((2 * num_injections, *x.shape), x.dtype),
    params[HEAD],
  )
  signs = jnp.zeros([2 * num_injections], jnp.float32)
  return {**params, HEAD: InjectedHead(params[HEAD], frozen, signs)}


def _open_slot(head: Params, fresh: Params, third_term: bool) -> Params:
  """Shifts the stack by a pair, so that the newest stands beside trainable."""
  if not isinstance(head, InjectedHead) or head.signs.shape[0] < 2:
    raise ValueError('there are no slots: allocate them by with_slots')
  frozen = jax.tree.map(
    lambda stack, old, new: jnp.concatenate([stack[2:], old[None], new[None]]),
    head.frozen,
    head.trainable,
    fresh,
  )
  pair = jnp.array([1.0, -1.0 if third_term else 0.0], jnp.float32)
  opened = InjectedHead(fresh, frozen, jnp.concatenate([head.signs[2:], pair]))
  full = head.signs[0] != 0
  return jax.tree.map(lambda o, h: jnp.where(full, h, o), opened, head)


def is_full(params: Params) -> jax.Array:
  """Whether every slot of `with_slots` is open, bool []."""
  return params[HEAD].signs[0] != 0


def drop_frozen(params: Params, *, slots: bool = False) -> Params:
  """Leaves the trainable head alone; with `slots`, closes every slot.

  The tree keeps its slots where `slots` is set.
  """
  head = params[HEAD]
  if not isinstance(head, InjectedHead):
    return params
  if slots:
    closed = dataclasses.replace(head, signs=jnp.zeros_like(head.signs))
    return {**params, HEAD: closed}
  return {**params, HEAD: head.trainable}
