"""Plasticity injection as a transformation of a parameter tree.

A network is split into an encoder and a head. Injection (Nikishin et al.,
"Deep Reinforcement Learning with Plasticity Injection", 2023) turns the head's
output `h(theta)` into

    h(theta) + h(theta'_1) - h(theta'_2),

all three on the same features, where theta'_1 = theta'_2 is one fresh draw of
the head's initialiser. theta and theta'_2 are frozen: they are not updated,
yet the encoder receives its gradient through all three terms. As many
parameters learn as before, and no prediction changes at that moment.

The tree *is* the architecture: `params['head']` becomes an `InjectedHead`, and
`SplitNetwork.apply` looks at it. Any pytree of floating-point arrays will do
(Haiku, Flax, Equinox); modules that keep a state are refused.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax

from plasticity_rl.split import HEAD as HEAD
from plasticity_rl.split import InjectedHead as InjectedHead
from plasticity_rl.split import SplitNetwork as SplitNetwork
from plasticity_rl.split import replace_trainable as replace_trainable
from plasticity_rl.split import trainable as trainable
from plasticity_rl.types import Params

OPTIMIZER_STATES = ('reset_head', 'keep', 'reset_all')


# --- The tree ---------------------------------------------------------------


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
    ValueError: params that are not of a split network, a head that keeps a
      state, or `slots` where there are none.

  Example:
    >>> import jax
    >>> import jax.numpy as jnp
    >>> import plasticity_rl as pl
    >>> net = pl.SplitNetwork(
    ...   encoder_init=lambda key, x: jax.random.normal(key, (x.shape[-1], 8)),
    ...   encoder_apply=lambda w, x: jax.nn.relu(x @ w),
    ...   head_init=lambda key, h: jax.random.normal(key, (h.shape[-1], 2)),
    ...   head_apply=lambda w, h: h @ w,
    ... )
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
  _check_stateless(fresh)
  current = head.trainable if isinstance(head, InjectedHead) else head
  if jax.tree.structure(fresh) != jax.tree.structure(current):
    raise ValueError(
      'the head that was drawn and the head that is there differ in '
      f'structure: {jax.tree.structure(fresh)} and '
      f'{jax.tree.structure(current)}'
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
  return {
    **params,
    HEAD: InjectedHead(fresh, *_append(head, added, like=fresh), thawed=thawed),
  }


def _append(head, added, like):
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
  _check_stateless(params[HEAD])
  frozen = jax.tree.map(
    lambda x: jnp.zeros((2 * num_injections, *x.shape), x.dtype),
    params[HEAD],
  )
  signs = jnp.zeros([2 * num_injections], jnp.float32)
  return {**params, HEAD: InjectedHead(params[HEAD], frozen, signs)}


def _open_slot(head, fresh, third_term):
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


def _check_stateless(head):
  for path, leaf in jax.tree_util.tree_leaves_with_path(head):
    kind = getattr(leaf, 'dtype', type(leaf))
    if not hasattr(leaf, 'dtype') or not jnp.issubdtype(kind, jnp.floating):
      raise ValueError(
        'only heads of floating-point arrays can be injected, not modules '
        'with a state or with functions for leaves: see the leaf '
        f'{jax.tree_util.keystr(path)} of {kind}'
      )


# --- The optimizer ----------------------------------------------------------


def trainable_mask(tree: Params) -> Any:
  """True for leaves that learn, False for frozen ones and their signs."""

  def constant(value, x):
    return jax.tree.map(lambda _: value, x)

  def mask(node):
    if not isinstance(node, InjectedHead):
      return True
    return InjectedHead(
      trainable=constant(True, node.trainable),
      frozen=constant(False, node.frozen),
      signs=constant(False, node.signs),
      thawed=constant(True, node.thawed),
    )

  return jax.tree.map(mask, tree, is_leaf=lambda x: isinstance(x, InjectedHead))


def frozen_mask(tree: Params) -> Any:
  """The opposite of `trainable_mask`."""
  return jax.tree.map(lambda m: not m, trainable_mask(tree))


def masked(core: optax.GradientTransformation) -> optax.GradientTransformation:
  """`core` on what learns, zero updates for what is frozen.

  What is frozen has no optimizer state, and a norm that `core` clips by does
  not see it. (`optax.masked` alone would pass a frozen leaf's gradient on as
  its update, hence the second stage.)

  Args:
    core: any optax optimizer.

  Returns:
    A transformation of any tree, `InjectedHead` or none in it.

  Raises:
    ValueError: something that is no optax optimizer.

  Example:
    >>> import jax.numpy as jnp
    >>> import optax
    >>> import plasticity_rl as pl
    >>> optimizer = pl.masked(optax.sgd(0.5))
    >>> params = {'encoder': jnp.ones([2]), 'head': jnp.ones([2])}
    >>> updates, _ = optimizer.update(params, optimizer.init(params))
    >>> updates['head'].tolist()
    [-0.5, -0.5]
  """
  if not (hasattr(core, 'init') and hasattr(core, 'update')):
    raise ValueError(
      f'core: expected an optax optimizer, found {type(core).__name__}'
    )
  return optax.chain(
    optax.masked(core, trainable_mask),
    optax.masked(optax.set_to_zero(), frozen_mask),
  )


def grouped(
  core: optax.GradientTransformation,
  *,
  before: optax.GradientTransformation | None = None,
  after: optax.GradientTransformation | None = None,
) -> optax.GradientTransformation:
  """An optimizer whose encoder and head have states, and counts, of their own.

  Injection re-initialises the head's and leaves the encoder's as it is. With
  one count for both, Adam's first steps on fresh moments would be several
  times the learning rate, since their bias is then hardly corrected.

  Args:
    core: run on encoder and head separately, such as `optax.scale_by_adam()`.
    before: run on all that learns first, such as clipping by global norm.
    after: run on all that learns last, such as the learning rate: schedules
      belong here, where their count survives every intervention.

  Returns:
    A transformation of `{'encoder': ..., 'head': ...}`; its state is a dict of
    `before`, `encoder`, `head` and `after`.

  Raises:
    ValueError: something that is no optax optimizer.

  Example:
    >>> import jax.numpy as jnp
    >>> import optax
    >>> import plasticity_rl as pl
    >>> optimizer = pl.grouped(
    ...   optax.scale_by_adam(),
    ...   before=optax.clip_by_global_norm(1.0),
    ...   after=optax.scale_by_learning_rate(1e-3),
    ... )
    >>> params = {'encoder': jnp.ones([3, 8]), 'head': jnp.ones([8, 2])}
    >>> sorted(optimizer.init(params))
    ['after', 'before', 'encoder', 'head']
  """
  core = masked(core)
  before = masked(before or optax.identity())
  after = masked(after or optax.identity())
  groups = ('encoder', HEAD)

  def init(params):
    return {
      'before': before.init(params),
      **{g: core.init(params[g]) for g in groups},
      'after': after.init(params),
    }

  def update(updates, state, params=None):
    new = {}
    updates, new['before'] = before.update(updates, state['before'], params)
    updates = dict(updates)
    for g in groups:
      updates[g], new[g] = core.update(
        updates[g], state[g], None if params is None else params[g]
      )
    updates, new['after'] = after.update(updates, state['after'], params)
    return updates, new

  return optax.GradientTransformation(init, update)


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
    >>> net = pl.SplitNetwork(
    ...   encoder_init=lambda key, x: jax.random.normal(key, (x.shape[-1], 8)),
    ...   encoder_apply=lambda w, x: jax.nn.relu(x @ w),
    ...   head_init=lambda key, h: jax.random.normal(key, (h.shape[-1], 2)),
    ...   head_apply=lambda w, h: h @ w,
    ... )
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


def _head_index(path):
  """Where in `path` the head begins; None for what is not the head's."""
  parts = ('encoder', HEAD)  # What is called 'head' in an encoder is not it.
  for i, key in enumerate(path):
    if getattr(key, 'key', None) in parts:
      return i if key.key == HEAD else None
  return None


def _is_schedules(path):
  """Whether a leaf belongs to no group: the counts that `grouped` promises."""
  keys = {getattr(key, 'key', None) for key in path}
  return bool(keys & {'before', 'after'}) and not keys & {'encoder', HEAD}


def _part(path):
  """The field of `InjectedHead` that `path` runs through, if any."""
  begin = _head_index(path)
  if begin is None:
    return None
  names = {field.name for field in dataclasses.fields(InjectedHead)}
  for key in path[begin:]:
    if getattr(key, 'name', None) in names:
      return key.name
  return None


def _without_trainable(path):
  key = jax.tree_util.GetAttrKey('trainable')
  begin = _head_index(path)
  if begin is None or key not in path[begin:]:
    return path
  i = path.index(key, begin)
  return path[:i] + path[i + 1 :]
