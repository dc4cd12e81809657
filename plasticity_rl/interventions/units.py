"""Interventions on units: `methods` applied to the networks of an agent."""

from collections.abc import Callable, Sequence
from typing import Any

from plasticity_rl.interventions import base
from plasticity_rl.methods.base import UnitMethod
from plasticity_rl.methods.units import ByLayer
from plasticity_rl.methods.units import hidden_layers
from plasticity_rl.types import AgentSpec
from plasticity_rl.types import Key
from plasticity_rl.types import NetSpec
from plasticity_rl.types import NetState
from plasticity_rl.types import TrainState
from plasticity_rl.types import Transition


def check_hidden(
  spec: AgentSpec, nets: Sequence[str] | None
) -> tuple[str, ...]:
  """The networks to act on; one without hidden units is refused."""
  names = base.check_nets(spec, nets)
  base.check_able(
    names,
    'hidden units',
    {name: hidden_layers(net.layers) for name, net in spec.nets.items()},
  )
  return names


def on_features(
  spec: AgentSpec,
  nets: Sequence[str] | None,
  transform: Callable[
    [Key, NetSpec, NetState, Any, ByLayer], tuple[NetState, Any]
  ],
  init: Callable[[NetSpec, NetState], Any] = lambda net, state: (),
) -> base.Intervention:
  """An intervention that looks at the online networks' features.

  Args:
    spec: the agent.
    nets: networks to act on; by default those that the agent names. One
      without hidden layers is refused.
    transform: `(key, net, state, own, features by layer) -> (state, own)`. The
      features are those of the part that learns, on the probe batch (inside
      the loop: on the batch just learned from, after the update).
    init: `(net, state) -> own`, the intervention's own state of a network.
  """
  names = check_hidden(spec, nets)

  def look(
    key: Key, state: TrainState, batch: Transition
  ) -> tuple[Key, dict[str, ByLayer]]:
    params = {name: net.params for name, net in state.nets.items()}
    inputs = spec.inputs(params, batch)
    return key, {
      name: spec.nets[name].network.apply(params[name], inputs[name]).layers
      for name in names
    }

  return base.looking(spec, names, look, transform, init)


def by_method(
  spec: AgentSpec,
  nets: Sequence[str] | None,
  make: Callable[[NetSpec], UnitMethod],
) -> base.Intervention:
  """An intervention that is a method with statistics of units.

  Args:
    spec: the agent.
    nets: as in `on_features`.
    make: the method on a network.
  """
  return on_features(spec, nets, *base.of_method(make, 'features'))
