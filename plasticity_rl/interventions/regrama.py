"""ReGraMa: recycling units that get little gradient (Liu et al., 2025)."""

from collections.abc import Sequence
from typing import Any

from plasticity_rl.interventions import base
from plasticity_rl.interventions import units
from plasticity_rl.interventions.gradients import on_gradients
from plasticity_rl.methods import regrama as method
from plasticity_rl.types import AgentSpec
from plasticity_rl.types import Key
from plasticity_rl.types import NetSpec
from plasticity_rl.types import NetState
from plasticity_rl.types import Params


def regrama(
  spec: AgentSpec,
  *,
  tau: float = 0.01,
  count: str = 'reset',
  nets: Sequence[str] | None = None,
) -> base.Intervention:
  """Recycles every hidden unit whose weights get too little gradient.

      G_i = E|g_i| / (mean over the layer's units k of E|g_k|) <= tau,

  g_i the gradient of the mean loss on the probe batch, without penalties, by
  the incoming weights of unit i, and E the mean over them. Incoming weights are
  drawn again from their own layer's initialiser, biases as that does (zero),
  outgoing weights become zero; online and target receive the same. The score
  is of the online network.

  Liu et al., "Measure Gradients, Not Activations! Enhancing Neuronal Activity
  in Deep Reinforcement Learning", 2025; meant to happen every 1000 updates or
  so: `every_updates=1000`. The text speaks of the gradient by the activation on
  each example; their code, which this follows, takes that of the batch by the
  weights. Deviations: their code uses the gradient of the update, here it is
  computed anew (inside the loop, on the batch just learned from); it also draws
  a network's outputs again, and leaves outgoing weights, which their text sets
  to zero; scales of layer normalisation, which it scores as units of their own,
  are drawn again with the unit. Counts start anew as with `redo`. Frozen and
  thawed heads are left alone, and so, while there are any, is the last layer of
  the encoder, which feeds them.

  Args:
    spec: the agent.
    tau: threshold, 0.01 in the paper, and 0 of its networks of tanh or sigmoid
      units. Below zero nothing is recycled.
    count: what becomes of the optimizer's counts: 'reset' or 'keep' (see
      `methods.moments` for what either costs).
    nets: networks to act on; by default those that the agent names.
  """
  method.check_options(tau, count)

  def transform(
    key: Key, net: NetSpec, state: NetState, own: Any, gradient: Params
  ) -> tuple[NetState, Any]:
    state = method.regrama(
      key,
      gradient=gradient,
      layers=net.layers,
      init=net.network.init,
      tau=tau,
      count=count,
      **state._asdict(),
    )
    return state, own

  return on_gradients(spec, units.check_hidden(spec, nets), transform)
