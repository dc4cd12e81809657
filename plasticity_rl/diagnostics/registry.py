"""Every diagnostic by its name, and all of them in one pure function."""

import functools
from collections.abc import Callable, Sequence

import jax

from plasticity_rl import errors
from plasticity_rl.diagnostics.base import Diagnostic
from plasticity_rl.diagnostics.base import Probe
from plasticity_rl.diagnostics.dead_units import dead_units
from plasticity_rl.diagnostics.dormant_units import dormant_units
from plasticity_rl.diagnostics.srank import srank
from plasticity_rl.diagnostics.weight_norm import weight_norm
from plasticity_rl.types import AgentSpec
from plasticity_rl.types import NetState
from plasticity_rl.types import Transition

REGISTRY: dict[str, Diagnostic] = {
    f.__name__: f for f in (dead_units, dormant_units, srank, weight_norm)
}
Measure = Callable[[dict[str, NetState], Transition], dict[str, jax.Array]]


def make(
    spec: AgentSpec, names: Sequence[str], *, tau: float, delta: float
) -> Measure:
  """All diagnostics of `names`, for every network of the agent.

  Args:
    spec: the agent.
    names: diagnostics.
    tau: threshold of `dormant_units`.
    delta: of `srank`.

  Returns:
    `(nets, batch) -> {'plasticity/NET/DIAGNOSTIC/WHERE': scalar}`.
  """
  for name in names:
    if name not in REGISTRY:
      raise errors.UserError(errors.nearest('diagnostic', name, REGISTRY))
  options = {'dormant_units': {'tau': tau}, 'srank': {'delta': delta}}

  def measure(nets, batch):
    params = {name: net.params for name, net in nets.items()}
    inputs = spec.inputs(params, batch)
    values = {}
    for net_name, net in spec.nets.items():
      output = net.network.apply(params[net_name], inputs[net_name])
      probe = Probe(net, params[net_name], output)
      for name in names:
        diagnostic = functools.partial(
            REGISTRY[name], **options.get(name, {})
        )
        for where, value in diagnostic(probe).items():
          values[f'plasticity/{net_name}/{name}/{where}'] = value
    return values

  return measure
