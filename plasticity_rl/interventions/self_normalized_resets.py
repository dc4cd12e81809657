"""Self-normalized resets (Farias and Jozefiak, 2024)."""

from collections.abc import Sequence

from plasticity_rl.interventions import base
from plasticity_rl.interventions import units
from plasticity_rl.methods import self_normalized_resets as method
from plasticity_rl.types import AgentSpec


def self_normalized_resets(
  spec: AgentSpec,
  *,
  eta: float = 1e-3,
  decay: float = 0.99,
  count: str = 'keep',
  nets: Sequence[str] | None = None,
) -> base.Intervention:
  """Recycles units that have been silent for improbably long, each by itself.

  A unit fires at a call if it is not zero on every example of the batch (and
  at every position). With A the number of calls from one firing to the next
  and a the number of calls since the last, it is recycled as soon as

      P(A > a) <= eta,

  so that a unit that always fired is suspected soon and a rare one late; of
  the gaps of a healthy unit about eta are taken for death. A is taken to be
  geometric, P(A > a) = (1 - p)^a, with p estimated by the unit's own gaps:

      p = (n + 1) / (t + 2),

  n the number of its gaps and t their summed length, both multiplied by
  `decay` at each firing (the mean of p given uniform p beforehand). Recycling
  draws incoming weights again, sets outgoing ones and their moments to zero,
  and forgets the unit's gaps; online and target receive the same.

  Farias and Jozefiak, "Self-Normalized Resets for Plasticity in Continual
  Learning", 2024; meant to happen after every update: `every_updates=1`.
  Deviations: the paper compares with a percentile of each unit's histogram of
  gaps, or of a geometric one of the same mean; the prior and the forgetting
  are ours, without which a unit that always fired would be recycled at its
  first silent batch. A unit that another intervention draws again counts as
  new. Frozen and thawed heads are left alone, and so, while there are any, is
  the last layer of the encoder, which feeds them.

  Args:
    spec: the agent.
    eta: threshold, 0 to below 1; our choice. With 0 networks never change.
    decay: of the gaps, per firing, 0 to 1; 1 forgets nothing. Our choice.
    count: what becomes of the optimizer's counts: 'keep' or 'reset' (see
      `methods.moments`).
    nets: networks to act on; by default those that the agent names.
  """
  method.check_options(eta, decay, count)
  return units.by_method(
    spec,
    nets,
    lambda net: method.self_normalized_resets(
      net.layers, init=net.network.init, eta=eta, decay=decay, count=count
    ),
  )
