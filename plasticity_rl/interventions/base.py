"""What an intervention is, and how one acts on some networks of an agent."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax

from plasticity_rl import checks
from plasticity_rl import errors
from plasticity_rl.types import AgentSpec
from plasticity_rl.types import Key
from plasticity_rl.types import NetSpec
from plasticity_rl.types import NetState
from plasticity_rl.types import TrainState
from plasticity_rl.types import Transition

OPTIMIZER = ('reset', 'keep')
NetTransform = Callable[[Key, NetSpec, NetState], NetState]


class Intervention(NamedTuple):
  """A pair of pure functions on the training state of one seed.

  Attributes:
    init: `(state) -> own`, a state of the intervention's own, which is saved
      and forked with the rest; `()` where there is none.
    apply: `(key, state, own, batch) -> (state, own)`. The key is consumed;
      `batch` is a probe batch of transitions, or, after an update, the one
      that was learned from.
    nets_only: whether it reads and changes nothing but networks, so that it
      can happen inside the training loop.
  """

  init: Callable[[TrainState], Any]
  apply: Callable[[Key, TrainState, Any, Transition], tuple[TrainState, Any]]
  nets_only: bool = False


def stateless(
  apply: Callable[[Key, TrainState, Transition], TrainState],
  *,
  nets_only: bool = False,
) -> Intervention:
  """An intervention without a state of its own."""
  return Intervention(
    init=lambda state: (),
    apply=lambda key, state, own, batch: (apply(key, state, batch), own),
    nets_only=nets_only,
  )


def on_nets(
  spec: AgentSpec, nets: Sequence[str] | None, transform: NetTransform
) -> Intervention:
  """Transforms each of `nets` (by default the agent's own choice)."""
  names = check_nets(spec, nets)

  def apply(key: Key, state: TrainState, batch: Transition) -> TrainState:
    del batch
    keys = jax.random.split(key, len(names))
    changed = {
      name: transform(k, spec.nets[name], state.nets[name])
      for name, k in zip(names, keys, strict=True)
    }
    return state._replace(nets={**state.nets, **changed})

  return stateless(apply, nets_only=True)


def looking(
  spec: AgentSpec,
  names: Sequence[str],
  look: Callable[[Key, TrainState, Transition], tuple[Key, Mapping[str, Any]]],
  transform: Callable[[Key, NetSpec, NetState, Any, Any], tuple[NetState, Any]],
  init: Callable[[NetSpec, NetState], Any],
) -> Intervention:
  """Transforms each of `names` by what it shows on the batch.

  Args:
    spec: the agent.
    names: networks to act on, checked.
    look: `(key, state, batch) -> (key, what is seen by network)`; the key is
      consumed.
    transform: `(key, net, state, own, seen) -> (state, own)`.
    init: `(net, state) -> own`, the intervention's own state of a network.
  """

  def init_all(state: TrainState) -> dict[str, Any]:
    return {name: init(spec.nets[name], state.nets[name]) for name in names}

  def apply(
    key: Key, state: TrainState, own: Any, batch: Transition
  ) -> tuple[TrainState, Any]:
    key, seen = look(key, state, batch)
    nets, own = dict(state.nets), dict(own)
    keys = jax.random.split(key, len(names))
    for name, k in zip(names, keys, strict=True):
      nets[name], own[name] = transform(
        k, spec.nets[name], state.nets[name], own[name], seen[name]
      )
    return state._replace(nets=nets), own

  return Intervention(init_all, apply, nets_only=True)


def of_method(
  make: Callable[[NetSpec], Any], seen_as: str
) -> tuple[
  Callable[[Key, NetSpec, NetState, Any, Any], tuple[NetState, Any]],
  Callable[[NetSpec, NetState], Any],
]:
  """`transform` and `init` for `looking`, by a method with its own state.

  Args:
    make: the method on a network, an `(init, step)` of `methods`.
    seen_as: the keyword by which its `step` takes what is seen.
  """

  def init(net: NetSpec, state: NetState) -> Any:
    return make(net).init(state.params, state.initial)

  def transform(
    key: Key, net: NetSpec, state: NetState, own: Any, seen: Any
  ) -> tuple[NetState, Any]:
    changed: tuple[NetState, Any] = make(net).step(
      key, own, **{seen_as: seen}, **state._asdict()
    )
    return changed

  return transform, init


def check_nets(spec: AgentSpec, nets: Sequence[str] | None) -> tuple[str, ...]:
  """The networks to act on; an unknown one is refused."""
  if nets is None:
    return spec.default_nets
  return check_several('network of this agent', nets, tuple(spec.nets))


def check_able(
  names: Sequence[str], what: str, owned: Mapping[str, Any]
) -> None:
  """Refuses a network that has nothing to act on: a control by mistake.

  Args:
    names: networks to act on.
    what: they need to have.
    owned: what each network of the agent has of it.
  """
  able = ', '.join(name for name, own in owned.items() if own) or '(none)'
  for name in names:
    if not owned[name]:
      raise errors.UserError(
        f'network {name!r} has no {what}; those that have: {able}'
      )


def check_several(
  what: str, values: Any, choices: Sequence[str]
) -> tuple[str, ...]:
  """One or several of `choices`; none at all would be a control by mistake."""
  several = isinstance(values, (tuple, list)) and len(values)
  values = tuple(values) if several else (values,)
  for value in values:
    checks.choice(what, value, choices)
  return values


def reset_groups(
  net: NetSpec, state: NetState, groups: Sequence[str]
) -> NetState:
  """A fresh optimizer state, counts included, for whole groups.

  What stages for all groups keep of the weights of these is fresh as well.
  """

  def pick(path: tuple[Any, ...], fresh: jax.Array, old: jax.Array) -> Any:
    names = (getattr(key, 'key', None) for key in path)
    group = next((n for n in names if n not in ('before', 'after', None)), None)
    return fresh if group in groups else old

  opt_state = jax.tree_util.tree_map_with_path(
    pick, net.optimizer.init(state.params), state.opt_state
  )
  return state._replace(opt_state=opt_state)
