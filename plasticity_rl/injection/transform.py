"""Injection of parameters together with their optimizer's state."""

from collections.abc import Set
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from plasticity_rl.injection.optimizers import GROUPS
from plasticity_rl.injection.optimizers import REST
from plasticity_rl.injection.optimizers import trainable_mask
from plasticity_rl.injection.params import inject_params
from plasticity_rl.injection.params import is_full
from plasticity_rl.split import HEAD
from plasticity_rl.split import InjectedHead
from plasticity_rl.split import SplitNetwork
from plasticity_rl.types import Params

OPTIMIZER_STATES = ('reset_head', 'keep', 'reset_all')
_UNWRAPPED = (
  'the optimizer would update frozen parameters: wrap it by injection.masked '
  'or injection.grouped'
)


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
  lies below the key 'head' is the head's: its moments, and with `grouped` its
  count too. Hyperparameters of `optax.inject_hyperparams` are settings, which
  stay as they are.

  Raises:
    ValueError: a state of another optimizer, one that keeps a state for frozen
      parameters, or an unknown `optimizer_state`.
  """
  if optimizer_state not in OPTIMIZER_STATES:
    raise ValueError(
      f'optimizer_state must be one of {OPTIMIZER_STATES}: {optimizer_state!r}'
    )
  fresh = optimizer.init(new_params)
  if _moves_frozen(optimizer, fresh, new_params):
    raise ValueError(_UNWRAPPED)
  new, treedef = _leaves(fresh), jax.tree.structure(fresh)
  if any(leaf.field in ('frozen', 'signs') for leaf in new):
    raise ValueError(_UNWRAPPED)
  old = _leaves(opt_state)
  by_path = {leaf.path: leaf.value for leaf in old}
  # A head that is injected now was not before, or the other way round.
  by_bare_path = {leaf.bare_path: leaf.value for leaf in old}
  parts = {*new_params, *GROUPS, REST}
  carried = []
  for leaf in new:
    path = leaf.path
    if _is_hyperparameter(path):
      source = by_path.get(path, leaf.value)
    elif optimizer_state == 'reset_all' and not _is_schedules(path):
      source = leaf.value
    elif _is_heads(path, parts):
      source = leaf.value
      if optimizer_state == 'keep':
        source = by_path.get(path, by_bare_path.get(leaf.bare_path, leaf.value))
    elif path in by_path:
      source = by_path[path]
    else:
      raise ValueError(
        'the optimizer state has no leaf at '
        f'{jax.tree_util.keystr(path)}: was it made by this optimizer?'
      )
    if jnp.shape(source) != jnp.shape(leaf.value):
      raise ValueError(
        f'the optimizer state at {jax.tree_util.keystr(path)} has shape '
        f'{jnp.shape(source)}, expected {jnp.shape(leaf.value)}'
      )
    carried.append(source)
  return jax.tree_util.tree_unflatten(treedef, carried)


def _moves_frozen(
  optimizer: optax.GradientTransformation, state: Any, params: Params
) -> bool:
  """Whether updates of frozen parameters can be anything but constant zeros.

  Of an optimizer without a state for each parameter, such as weight decay or
  noise, the state does not tell. So the update is traced: what it gives frozen
  leaves must depend on no input.
  """
  takes_more = isinstance(optimizer, optax.GradientTransformationExtraArgs)

  def frozen_updates(
    gradients: Params, state: Any, params: Params, value: Any
  ) -> Any:
    extra = {'value': value} if takes_more else {}
    updates, _ = optimizer.update(gradients, state, params, **extra)
    learns = jax.tree.leaves(trainable_mask(params))
    leaves = jax.tree.leaves(updates)
    return [u for u, one in zip(leaves, learns, strict=True) if not one]

  try:
    jaxpr = jax.make_jaxpr(frozen_updates)(params, state, params, 0.0).jaxpr
  except TypeError:  # It asks for other arguments than the loss.
    return False
  depends = set(jaxpr.invars)
  for equation in jaxpr.eqns:
    if any(x in depends for x in equation.invars if not hasattr(x, 'val')):
      depends.update(equation.outvars)
  return any(x in depends for x in jaxpr.outvars if not hasattr(x, 'val'))


class _Leaf(NamedTuple):
  """A leaf of an optimizer's state.

  Attributes:
    path: of the leaf.
    bare_path: the same as if no head were injected.
    field: of `InjectedHead`, that the path runs through, if any.
    value: an array.
  """

  path: tuple[Any, ...]
  bare_path: tuple[Any, ...]
  field: str | None
  value: Any


def _leaves(state: Any) -> list[_Leaf]:
  """The leaves of a state, in the order of `jax.tree.leaves`."""
  found = []
  for path, node in jax.tree_util.tree_leaves_with_path(
    state, is_leaf=lambda x: isinstance(x, InjectedHead)
  ):
    if not isinstance(node, InjectedHead):
      found.append(_Leaf(path, path, None, node))
      continue
    for inner, value in jax.tree_util.tree_leaves_with_path(node):
      field = inner[0].name
      bare = inner[1:] if field == 'trainable' else inner
      found.append(_Leaf(path + inner, path + bare, field, value))
  return found


def _is_heads(path: tuple[Any, ...], parts: Set[str]) -> bool:
  """Whether a leaf is the head's.

  A 'head' inside another part (an encoder, a second network) is that part's.
  """
  for key in path:
    if getattr(key, 'key', None) in parts:
      return bool(key.key == HEAD)
  return False


def _is_hyperparameter(path: tuple[Any, ...]) -> bool:
  return any(getattr(key, 'name', None) == 'hyperparams' for key in path)


def _is_schedules(path: tuple[Any, ...]) -> bool:
  """Whether a leaf belongs to no group: the counts that `grouped` promises."""
  keys = {getattr(key, 'key', None) for key in path}
  return bool(keys & {'before', 'after'}) and not keys & {*GROUPS, REST}
