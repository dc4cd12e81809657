"""Every diagnostic by its name, and all of them in one pure function."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax

from plasticity_rl import errors
from plasticity_rl.diagnostics.base import Diagnostic
from plasticity_rl.diagnostics.base import Probe
from plasticity_rl.diagnostics.dead_units import dead_units
from plasticity_rl.diagnostics.dormant_units import dormant_units
from plasticity_rl.diagnostics.srank import srank
from plasticity_rl.diagnostics.weight_norm import weight_norm
from plasticity_rl.types import AgentSpec
from plasticity_rl.types import Key
from plasticity_rl.types import NetState
from plasticity_rl.types import Transition

REGISTRY: dict[str, Diagnostic] = {
    f.__name__: f for f in (dead_units, dormant_units, srank, weight_norm)
}
Measure = Callable[
    [Key, dict[str, NetState], Transition], dict[str, jax.Array]
]
Update = Callable[
    [Key, dict[str, NetState], Transition, int],
    tuple[dict[str, NetState], Any],
]


def make(
    spec: AgentSpec,
    update: Update,
    names: Sequence[str],
    options: Mapping[str, Mapping[str, Any]],
) -> Measure:
  """All diagnostics of `names`, for every network of the agent.

  Args:
    spec: the agent.
    update: its update, of `agents.base.Agent`.
    names: diagnostics.
    options: by diagnostic.

  Returns:
    `(key, nets, batch) -> {'plasticity/NET/DIAGNOSTIC/WHERE': scalar}`. The
    key is consumed.
  """
  for name in names:
    if name not in REGISTRY:
      raise errors.UserError(errors.nearest('diagnostic', name, REGISTRY))

  def measure(key, nets, batch):
    loss_key, update_key, *keys = jax.random.split(key, 2 + len(names))
    params = {name: net.params for name, net in nets.items()}
    inputs = spec.inputs(params, batch)
    losses = spec.losses(loss_key, nets, batch)
    # Compiled once, and only if a diagnostic looks at it.
    updated = functools.cache(lambda: update(update_key, nets, batch, 0)[0])
    values = {}
    for net_name, net in spec.nets.items():
      probe = Probe(
          net, nets[net_name], inputs[net_name],
          net.network.apply(params[net_name], inputs[net_name]),
          losses[net_name], lambda n=net_name: updated()[n],
      )
      for name, own_key in zip(names, keys, strict=True):
        found = REGISTRY[name](
            probe._replace(key=own_key), **options.get(name, {})
        )
        for where, value in found.items():
          values[f'plasticity/{net_name}/{name}/{where}'] = value
    return values

  return measure
