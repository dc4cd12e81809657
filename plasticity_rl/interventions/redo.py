"""ReDo: recycling dormant units (Sokar et al., 2023)."""

from collections.abc import Sequence
from typing import Any

from plasticity_rl.interventions import base
from plasticity_rl.interventions import units
from plasticity_rl.methods import redo as method
from plasticity_rl.methods.units import ByLayer
from plasticity_rl.types import AgentSpec
from plasticity_rl.types import Key
from plasticity_rl.types import NetSpec
from plasticity_rl.types import NetState


def redo(
  spec: AgentSpec,
  *,
  tau: float = 0.025,
  count: str = 'reset',
  nets: Sequence[str] | None = None,
) -> base.Intervention:
  """Recycles every hidden unit whose dormancy score is at most tau.

  s_i = E|h_i| / (mean over the layer's units k of E|h_k|), the expectations
  over the probe batch, and over positions for a channel of a convolution.
  Incoming weights are drawn again from their own layer's initialiser, biases
  as that does (zero), outgoing weights become zero; online and target receive
  the same. Outputs do not change if the units are exactly dead in both.

  Sokar et al., "The Dormant Neuron Phenomenon in Deep Reinforcement Learning",
  2023; meant to happen every 1000 updates or so: `every_updates=1000`.
  Deviations: the probe batch is the run's (inside the loop, the batch just
  learned from), not a fixed number of transitions; the counts of the
  optimizer's groups start anew by default, without which units die again.
  Frozen and thawed heads are left alone, and so, while there are any, is the
  last layer of the encoder, which feeds them.

  Args:
    spec: the agent.
    tau: threshold. 0.025 goes with a period of 1000 in the paper's code, 0.1
      is in its text. Below zero nothing is recycled.
    count: what becomes of the optimizer's counts: 'reset' or 'keep' (see
      `methods.moments` for what either costs).
    nets: networks to act on; by default those that the agent names.
  """
  method.check_options(tau, count)

  def transform(
    key: Key, net: NetSpec, state: NetState, own: Any, features: ByLayer
  ) -> tuple[NetState, Any]:
    state = method.redo(
      key,
      features=features,
      layers=net.layers,
      init=net.network.init,
      tau=tau,
      count=count,
      **state._asdict(),
    )
    return state, own

  return units.on_features(spec, nets, transform)
