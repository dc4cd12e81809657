"""Injection of parameters together with their optimizer's state."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import optax

from plasticity_rl.injection.params import inject_params
from plasticity_rl.injection.params import is_full
from plasticity_rl.split import HEAD
from plasticity_rl.split import InjectedHead
from plasticity_rl.split import SplitNetwork
from plasticity_rl.types import Params

OPTIMIZER_STATES = ('reset_head', 'keep', 'reset_all')


def inject(
  key: jax.Array,
  net: SplitNetwork,
  params: Params,
  optimizer: optax.GradientTransformation,
  opt_state: Any,
  *,
  optimizer_state: str = 'reset_head',
  **options: bool,
) -> tuple[Params, Any]:
  """Injects a fresh head and carries the optimizer's state along.

  The key is consumed; see `inject_params` for the options and the target.

  Args:
    key: seeds the fresh draw.
    net: the split network.
    params: its parameters.
    optimizer: any optax optimizer, wrapped by `masked` or `grouped`.
    opt_state: its state.
    optimizer_state: 'reset_head' gives the head a fresh state and leaves the
      encoder's bit-identical. 'keep' hands the old head's to the new one, and
      'reset_all' starts anew (both ablations). The count of an optimizer with
      a single group belongs to no part and is kept by the first two: only
      `grouped` optimizers start the head's count again. Their schedules'
      counts survive all three.
    **options: those of `inject_params`.

  Returns:
    New parameters and a new optimizer state.

  Raises:
    ValueError: what `inject_params` refuses, an optimizer that would update
      frozen heads, a state of another optimizer, or an unknown
      `optimizer_state`.

  Example:
    >>> import optax
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
    >>> optimizer = pl.grouped(optax.adam(1e-3))
    >>> state = optimizer.init(params)
    >>> params, state = pl.inject(
    ...   jax.random.PRNGKey(1), net, params, optimizer, state
    ... )
    >>> params['head'].signs.tolist()
    [1.0, -1.0]
  """
  new_params = inject_params(key, net, params, **options)
  new_state = carry_state(optimizer, opt_state, new_params, optimizer_state)
  if options.get('slots'):
    full = is_full(params)
    new_state = jax.tree.map(
      lambda n, o: jnp.where(full, o, n), new_state, opt_state
    )
  return new_params, new_state


def carry_state(
  optimizer: optax.GradientTransformation,
  opt_state: Any,
  new_params: Params,
  optimizer_state: str = 'reset_head',
) -> Any:
  """The optimizer's state after its parameters took another structure.

  State is found by its path in the tree, for any optax optimizer. Whatever
  lies below a key 'head' is the head's: its moments, and with `grouped` its
  count too.
  """
  if optimizer_state not in OPTIMIZER_STATES:
    raise ValueError(
      f'optimizer_state must be one of {OPTIMIZER_STATES}: {optimizer_state!r}'
    )
  fresh = optimizer.init(new_params)
  leaves, treedef = jax.tree_util.tree_flatten_with_path(fresh)
  if any(_part(path) in ('frozen', 'signs') for path, _ in leaves):
    raise ValueError(
      'the optimizer keeps a state for frozen parameters and would update '
      'them: wrap it by injection.masked or injection.grouped'
    )
  old = dict(jax.tree_util.tree_leaves_with_path(opt_state))
  # A head that is injected now was not before, or the other way round.
  bare = {_without_trainable(path): leaf for path, leaf in old.items()}
  carried = []
  for path, leaf in leaves:
    if optimizer_state == 'reset_all' and not _is_schedules(path):
      source = leaf
    elif _head_index(path) is not None:
      source = leaf
      if optimizer_state == 'keep':
        source = old.get(path, bare.get(_without_trainable(path), leaf))
    elif path in old:
      source = old[path]
    else:
      raise ValueError(
        'the optimizer state has no leaf at '
        f'{jax.tree_util.keystr(path)}: was it made by this optimizer?'
      )
    if jnp.shape(source) != jnp.shape(leaf):
      raise ValueError(
        f'the optimizer state at {jax.tree_util.keystr(path)} has shape '
        f'{jnp.shape(source)}, expected {jnp.shape(leaf)}'
      )
    carried.append(source)
  return jax.tree_util.tree_unflatten(treedef, carried)


def _head_index(path: tuple) -> int | None:
  """Where in `path` the head begins; None for what is not the head's."""
  parts = ('encoder', HEAD)  # What is called 'head' in an encoder is not it.
  for i, key in enumerate(path):
    if getattr(key, 'key', None) in parts:
      return i if key.key == HEAD else None
  return None


def _is_schedules(path: tuple) -> bool:
  """Whether a leaf belongs to no group: the counts that `grouped` promises."""
  keys = {getattr(key, 'key', None) for key in path}
  return bool(keys & {'before', 'after'}) and not keys & {'encoder', HEAD}


def _part(path: tuple) -> str | None:
  """The field of `InjectedHead` that `path` runs through, if any."""
  begin = _head_index(path)
  if begin is None:
    return None
  names = {field.name for field in dataclasses.fields(InjectedHead)}
  for key in path[begin:]:
    if getattr(key, 'name', None) in names:
      return key.name
  return None


def _without_trainable(path: tuple) -> tuple:
  key = jax.tree_util.GetAttrKey('trainable')
  begin = _head_index(path)
  if begin is None or key not in path[begin:]:
    return path
  i = path.index(key, begin)
  return path[:i] + path[i + 1 :]
