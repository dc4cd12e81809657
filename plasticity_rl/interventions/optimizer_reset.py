"""Starts the optimizer's state anew and leaves every weight alone."""

from collections.abc import Sequence

from plasticity_rl.interventions import base
from plasticity_rl.types import AgentSpec

GROUPS = ('encoder', 'head')


def optimizer_reset(
  spec: AgentSpec,
  *,
  groups: Sequence[str] = GROUPS,
  nets: Sequence[str] | None = None,
) -> base.Intervention:
  """Moments and counts as at the start, for encoder, head or both.

  Separates the optimizer's part in plasticity loss from the weights'. The
  count that learning-rate schedules read goes on.

  Args:
    spec: the agent.
    groups: 'encoder', 'head', or both.
    nets: networks to act on; by default those that the agent names.
  """
  groups = base.check_several('group', groups, GROUPS)
  return base.on_nets(
    spec,
    nets,
    lambda key, net, state: base.reset_groups(net, state, groups),
  )
