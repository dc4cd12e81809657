"""Resets (Nikishin et al., "The Primacy Bias in Deep RL", 2022)."""

from collections.abc import Sequence

import jax

from plasticity_rl import checks
from plasticity_rl import errors
from plasticity_rl import injection as core
from plasticity_rl.interventions import base
from plasticity_rl.methods import resets
from plasticity_rl.types import AgentSpec
from plasticity_rl.types import Key
from plasticity_rl.types import NetSpec
from plasticity_rl.types import NetState
from plasticity_rl.types import Params
from plasticity_rl.types import TrainState
from plasticity_rl.types import Transition

SCOPES = ('head', 'last', 'all_but_encoder', 'everything', 'random')


def reset(
  spec: AgentSpec,
  *,
  scope: str = 'head',
  layers: int = 1,
  fraction: float = 0.1,
  nets: Sequence[str] | None = None,
  optimizer: str = 'reset',
) -> base.Intervention:
  """Draws layers again from their own initialisers; the replay is kept.

  Online and target receive the same draw. A reset that touches an injected
  head drops its frozen stack (closes its slots): predictions start anew. Not
  so a random subnetwork's, which touches what learns alone.

  Args:
    spec: the agent.
    scope: 'head'; 'last' for the last `layers` layers; 'all_but_encoder' for
      everything of every network except the encoder that the agent shares;
      'everything' of every network; 'random' for a random subnetwork: each
      weight and bias that learns, independently with probability `fraction`.
    layers: how many layers, with scope 'last'.
    fraction: 0 to 1, with scope 'random'; 0 changes nothing.
    nets: networks to reset; by default those that the agent names, with
      'all_but_encoder' and 'everything' all of them.
    optimizer: 'reset' gives every group of which a layer is redrawn a fresh
      state, counts included; of a random subnetwork it zeroes the moments of
      the redrawn weights and those counts (see `methods.moments` for what
      that costs the other weights). 'keep' keeps all of it.
  """
  checks.choice('scope', scope, SCOPES)
  checks.choice('optimizer', optimizer, base.OPTIMIZER)
  checks.number('reset: fraction', fraction, 0, 1)
  if scope == 'random':
    return base.on_nets(
      spec,
      nets,
      lambda key, net, state: redraw_some(key, net, state, fraction, optimizer),
    )
  if scope in ('all_but_encoder', 'everything') and nets is None:
    nets = tuple(spec.nets)
  names = base.check_nets(spec, nets)
  paths = {name: _paths(spec, name, scope, layers) for name in names}

  def transform(name: str) -> base.NetTransform:
    return lambda key, net, state: redraw(
      key, net, state, paths[name], optimizer, slots=spec.slots > 0
    )

  def apply(key: Key, state: TrainState, batch: Transition) -> TrainState:
    for name, k in zip(names, jax.random.split(key, len(names)), strict=True):
      one = base.on_nets(spec, (name,), transform(name))
      state, _ = one.apply(k, state, (), batch)
    return state

  return base.stateless(apply, nets_only=True)


def _paths(
  spec: AgentSpec, name: str, scope: str, layers: int
) -> tuple[tuple[str, ...], ...]:
  """Subtrees to draw again: groups, or layers in a group."""
  net = spec.nets[name]
  if scope == 'last':
    # Once for all members of an ensemble, which share a path.
    known = tuple(dict.fromkeys(layer.path for layer in net.layers))
    if not known:
      raise errors.UserError(
        f'reset: network {name!r} has no layers: take another scope'
      )
    if type(layers) is not int or not 1 <= layers <= len(known):
      raise errors.UserError(
        f'reset: layers must be 1 to {len(known)} for network '
        f'{name!r}: {layers!r}'
      )
    return known[-layers:]
  if scope == 'everything' or (
    scope == 'all_but_encoder' and name != spec.encoder_net
  ):
    return (('encoder',), ('head',))
  return (('head',),)


def redraw(
  key: jax.Array,
  net: NetSpec,
  state: NetState,
  paths: Sequence[tuple[str, ...]],
  optimizer: str,
  *,
  slots: bool,
) -> NetState:
  """Replaces the subtrees at `paths` by fresh ones. The key is consumed."""
  groups = sorted({path[0] for path in paths})

  def without_frozen(params: Params | None) -> Params | None:
    if params is None or core.HEAD not in groups:
      return params
    return core.drop_frozen(params, slots=slots)

  new = resets.reset_layers(
    key,
    without_frozen(state.params),
    paths,
    init=net.network.init,
    target=without_frozen(state.target),
    initial=state.initial,
  )
  # The frozen stack may be gone: its absence changes the paths of the state.
  new = new._replace(
    opt_state=core.carry_state(
      net.optimizer, state.opt_state, new.params, 'keep'
    )
  )
  return base.reset_groups(net, new, groups) if optimizer == 'reset' else new


def redraw_some(
  key: Key, net: NetSpec, state: NetState, fraction: float, optimizer: str
) -> NetState:
  """Redraws a random subnetwork of what learns. The key is consumed."""
  new = resets.reset_weights(
    key, fraction=fraction, init=net.network.init, **state._asdict()
  )
  if optimizer == 'keep':
    return new._replace(opt_state=state.opt_state)
  return new
