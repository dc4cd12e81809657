"""Every diagnostic by its name, and all of them in one pure function."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax

from plasticity_rl import errors
from plasticity_rl import injection
from plasticity_rl.diagnostics import dormant_units as dormant
from plasticity_rl.diagnostics.active_units import active_units
from plasticity_rl.diagnostics.base import Diagnostic
from plasticity_rl.diagnostics.base import Probe
from plasticity_rl.diagnostics.churn import churn
from plasticity_rl.diagnostics.dead_units import dead_units
from plasticity_rl.diagnostics.deviation_from_isometry import (
  deviation_from_isometry,
)
from plasticity_rl.diagnostics.gradient import gradient_l0
from plasticity_rl.diagnostics.gradient import gradient_l1
from plasticity_rl.diagnostics.gradient import gradient_l2
from plasticity_rl.diagnostics.gradient_covariance import gradient_covariance
from plasticity_rl.diagnostics.grama import grama
from plasticity_rl.diagnostics.hessian import hessian
from plasticity_rl.diagnostics.ntk import ntk_condition
from plasticity_rl.diagnostics.ntk import ntk_rank
from plasticity_rl.diagnostics.ranks import effective_rank
from plasticity_rl.diagnostics.ranks import feature_rank
from plasticity_rl.diagnostics.ranks import srank
from plasticity_rl.diagnostics.ranks import stable_rank
from plasticity_rl.diagnostics.saturation import saturation
from plasticity_rl.diagnostics.target_fitting import target_fitting
from plasticity_rl.diagnostics.weight_change import distance_from_init
from plasticity_rl.diagnostics.weight_change import update_ratio
from plasticity_rl.diagnostics.weight_norm import weight_growth
from plasticity_rl.diagnostics.weight_norm import weight_norm
from plasticity_rl.types import AgentSpec
from plasticity_rl.types import Key
from plasticity_rl.types import NetState
from plasticity_rl.types import Transition

# What needs no more than weights and features, so that it can be said of a
# target network too.
_OF_ANY_NETWORK = (
  weight_norm,
  weight_growth,
  distance_from_init,
  deviation_from_isometry,
  srank,
  effective_rank,
  feature_rank,
  stable_rank,
  dead_units,
  dormant.dormant_units,
  active_units,
  saturation,
)
# What needs the loss, an update, or a memory: of online networks only.
_OF_ONLINE_NETWORKS = (
  gradient_l0,
  gradient_l1,
  gradient_l2,
  gradient_covariance,
  grama,
  ntk_rank,
  ntk_condition,
  update_ratio,
  churn,
  dormant.dormant_overlap,
  hessian,
  target_fitting,
)
REGISTRY: dict[str, Diagnostic] = {
  f.__name__: f for f in (*_OF_ANY_NETWORK, *_OF_ONLINE_NETWORKS)
}
OF_TARGETS = tuple(f.__name__ for f in _OF_ANY_NETWORK)
# What looks at layers with `bounds` alone: the others are for every agent.
OF_BOUNDED = (saturation.__name__,)
FOR_ALL = tuple(name for name in REGISTRY if name not in OF_BOUNDED)

# Where the dormant sets of the last measurement are kept, among the own states
# of interventions: no label of one can begin so.
MEMORY = '~dormant_overlap'

Nets = dict[str, NetState]
Update = Callable[[Key, Nets, Transition, int], tuple[Nets, Any]]


class Diagnostics(NamedTuple):
  """Pure functions on the networks of one seed.

  Attributes:
    init: `(nets) -> own`, what has to be remembered from one measurement to
      the next, by `MEMORY`; `{}` for nothing.
    measure: `(key, nets, batch, own) -> (metrics, own)`, metrics being scalars
      by 'plasticity/NET/DIAGNOSTIC/WHERE'. The key is consumed.
  """

  init: Callable[[Nets], dict[str, Any]]
  measure: Callable[
    [Key, Nets, Transition, Mapping[str, Any]],
    tuple[dict[str, jax.Array], dict[str, Any]],
  ]


def make(
  spec: AgentSpec,
  update: Update,
  names: Sequence[str],
  options: Mapping[str, Mapping[str, Any]],
  *,
  target: bool = False,
) -> Diagnostics:
  """All diagnostics of `names`, for every network of the agent with layers.

  (A temperature has none: all that can be said of it is its value.)

  Args:
    spec: the agent.
    update: its update, of `agents.base.Agent`.
    names: diagnostics.
    options: by diagnostic.
    target: whether those of `OF_TARGETS` are measured of target networks as
      well, as 'plasticity/NET_target/...'.
  """
  _check(spec, names, target)
  remembers = dormant.dormant_overlap.__name__
  options_of = {name: options.get(name, {}) for name in names}
  looked_at = {name: net for name, net in spec.nets.items() if net.layers}

  def init(nets):
    if remembers not in names:
      return {}
    return {
      MEMORY: {
        name: dormant.no_dormant_sets(
          net, injection.trainable(nets[name].params)
        )
        for name, net in looked_at.items()
      }
    }

  def measure(key, nets, batch, own):
    probes = _probes(
      spec, looked_at, update, key, nets, batch, own.get(MEMORY, {})
    )
    if target:
      probes.update(_target_probes(looked_at, probes))
    values = {}
    for net_name, probe in probes.items():
      measured = (
        names
        if net_name in looked_at
        else [name for name in names if name in OF_TARGETS]
      )
      for name in measured:
        found = REGISTRY[name](probe, **options_of[name])
        for where, value in found.items():
          values[f'plasticity/{net_name}/{name}/{where}'] = value
    if remembers not in names:
      return values, {}
    return values, {
      MEMORY: {
        name: dormant.dormant_sets(probes[name], **options_of[remembers])
        for name in looked_at
      }
    }

  return Diagnostics(init, measure)


def _check(spec, names, target):
  """Refuses what is unknown, and what this agent has nothing for."""
  for name in names:
    if name not in REGISTRY:
      raise errors.UserError(errors.nearest('diagnostic', name, REGISTRY))
  if target and not any(net.has_target for net in spec.nets.values()):
    raise errors.UserError(
      'config.diagnostics.target: no network of this agent has a target: '
      + ', '.join(spec.nets)
    )
  if set(names) & set(OF_BOUNDED) and not any(
    layer.bounds for net in spec.nets.values() for layer in net.layers
  ):
    raise errors.UserError(
      'config.diagnostics.names: saturation is of bounded activations, and no'
      ' layer of this agent has one; network.activation "tanh" is one'
    )


def _probes(spec, looked_at, update, key, nets, batch, memory):
  """A probe of every online network, by its name."""
  loss_key, update_key, probe_key = jax.random.split(key, 3)
  params = {name: net.params for name, net in nets.items()}
  inputs = spec.inputs(params, batch)

  def first(n):
    return batch if n is None else jax.tree.map(lambda x: x[:n], batch)

  # Each is computed once, and only if a diagnostic looks at it.
  losses = functools.cache(lambda n=None: spec.losses(loss_key, nets, first(n)))
  updated = functools.cache(
    lambda n=None: update(update_key, nets, first(n), 0)[0]
  )
  return {
    name: Probe(
      net=net,
      state=nets[name],
      inputs=inputs[name],
      output=net.network.apply(params[name], inputs[name]),
      loss=losses()[name],
      loss_on=lambda n, name=name: losses(n)[name],
      updated=lambda n=None, name=name: updated(n)[name],
      policy=lambda p, name=name: spec.policy({**params, name: p}, batch),
      memory=memory.get(name),
      key=jax.random.fold_in(probe_key, i),
    )
    for i, (name, net) in enumerate(looked_at.items())
  }


def _target_probes(looked_at, probes):
  """Probes of target networks, fed what the online ones are."""
  found = {}
  for name, net in looked_at.items():
    state, inputs = probes[name].state, probes[name].inputs
    if state.target is not None:
      found[f'{name}_target'] = Probe(
        net,
        state._replace(params=state.target),
        inputs,
        net.network.apply(state.target, inputs),
      )
  return found
