"""Optimizers that leave frozen heads alone, as optax transformations."""

from collections.abc import Mapping
from typing import Any

import jax
import optax

from plasticity_rl.split import HEAD
from plasticity_rl.split import InjectedHead
from plasticity_rl.types import Params

GROUPS = ('encoder', HEAD)
REST = 'rest'  # The group of all other keys.


def trainable_mask(tree: Params) -> Any:
  """True for leaves that learn, False for frozen ones and their signs."""

  def constant(value: bool, x: Params) -> Any:
    return jax.tree.map(lambda _: value, x)

  def mask(node: Any) -> Any:
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


def masked(
  core: optax.GradientTransformation,
) -> optax.GradientTransformationExtraArgs:
  """`core` on what learns, zero updates for what is frozen.

  What is frozen has no optimizer state, and a norm that `core` clips by does
  not see it. (`optax.masked` alone would pass a frozen leaf's gradient on as
  its update, hence the second stage.) What `core` keeps for all parameters
  together (Adam's count, inner products of L-BFGS and MoMo) goes through an
  injection unchanged and then no longer fits the new head: prefer `grouped`,
  or `optimizer_state='reset_all'`, for such an optimizer. Keyword arguments of
  `update`, such as the `value` of `optax.polyak_sgd`, go on to `core`.

  Args:
    core: an optax optimizer. Labels and masks in it (`optax.multi_transform`,
      the mask of a weight decay) have to be functions of the parameters, whose
      structure changes at an injection. `optax.lookahead` and line searches
      need whole trees of parameters and are refused.

  Returns:
    A transformation of any tree, `InjectedHead` or none in it.

  Raises:
    ValueError: something that is no optax optimizer; from `init`, an optimizer
      that cannot work on a part of the parameters.

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
  both = optax.chain(
    optax.masked(core, trainable_mask),
    optax.masked(optax.set_to_zero(), frozen_mask),
  )

  def init(params: Params) -> Any:
    try:
      state = both.init(params)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
      raise ValueError(
        'the optimizer cannot be initialised on a part of the parameters; '
        'labels and masks have to be functions of the parameters, not trees '
        f'({type(error).__name__}: {str(error).splitlines()[0]})'
      ) from error
    _check_works_on_parts(state)
    return state

  return optax.GradientTransformationExtraArgs(
    init, optax.with_extra_args_support(both).update
  )


_WHOLE_TREES = (
  optax.LookaheadState,
  optax.ScaleByBacktrackingLinesearchState,
  optax.ScaleByZoomLinesearchState,
)


def _check_works_on_parts(state: Any) -> None:
  def is_whole(x: Any) -> bool:
    return isinstance(x, _WHOLE_TREES)

  for node in jax.tree.leaves(state, is_leaf=is_whole):
    if is_whole(node):
      raise ValueError(
        'optax.lookahead and line searches need the whole tree of parameters, '
        'of which masked and grouped give a part: leave them out (of '
        'optax.lbfgs by linesearch=None); the optimizer has a '
        f'{type(node).__name__}'
      )


def grouped(
  core: optax.GradientTransformation,
  *,
  before: optax.GradientTransformation | None = None,
  after: optax.GradientTransformation | None = None,
) -> optax.GradientTransformationExtraArgs:
  """An optimizer with separate states, and step counts, for encoder and head.

  Injection re-initialises the state of the head and keeps that of the encoder.
  With one count for both, Adam's first steps on fresh moments would be several
  times the learning rate, since their bias is then hardly corrected. All other
  keys of the parameters (a temperature, a second tower, an auxiliary head) are
  a third group, which an injection keeps. Keyword arguments of `update`, such
  as the `value` of `optax.contrib.reduce_on_plateau`, go on to every group.

  Args:
    core: run on each group separately, such as `optax.scale_by_adam()`.
    before: run on all that learns first, such as clipping by global norm.
    after: run on all that learns last, such as the learning rate: schedules
      belong here, where their count survives every intervention.

  Returns:
    A transformation of `{'encoder': ..., 'head': ...}` and any other keys. Its
    state is a dict of `before`, `encoder`, `head`, `rest` if there are other
    keys, and `after`.

  Raises:
    ValueError: something that is no optax optimizer; from `init`, parameters
      without an encoder or a head, or an optimizer that `masked` refuses.

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

  def init(params: Params) -> dict[str, Any]:
    if not isinstance(params, Mapping) or not {*GROUPS} <= {*params}:
      found = list(params) if isinstance(params, Mapping) else type(params)
      raise ValueError(
        "grouped: expected parameters {'encoder': ..., 'head': ...}, found "
        f'{found}'
      )
    return {
      'before': before.init(params),
      **{name: core.init(group) for name, group in _groups(params).items()},
      'after': after.init(params),
    }

  def update(
    updates: Params,
    state: dict[str, Any],
    params: Params | None = None,
    **extra: Any,
  ) -> tuple[Params, dict[str, Any]]:
    new = {}
    updates, new['before'] = before.update(
      updates, state['before'], params, **extra
    )
    of_params = {} if params is None else _groups(params)
    updated = {}
    for name, group in _groups(updates).items():
      updated[name], new[name] = core.update(
        group, state[name], of_params.get(name), **extra
      )
    updates = {**updates, **updated.pop(REST, {}), **updated}
    updates, new['after'] = after.update(
      updates, state['after'], params, **extra
    )
    return updates, new

  return optax.GradientTransformationExtraArgs(init, update)


def _groups(tree: Mapping[str, Any]) -> dict[str, Any]:
  """Encoder, head, and all other keys together, if there are any."""
  groups = {name: tree[name] for name in GROUPS}
  rest = {name: x for name, x in tree.items() if name not in GROUPS}
  return {**groups, REST: rest} if rest else groups
