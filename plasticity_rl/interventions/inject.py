"""Plasticity injection on a training state, target and optimizer included."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from plasticity_rl import checks
from plasticity_rl import injection as core
from plasticity_rl.errors import UserError
from plasticity_rl.interventions.base import Intervention
from plasticity_rl.interventions.base import on_nets
from plasticity_rl.types import AgentSpec
from plasticity_rl.types import Key
from plasticity_rl.types import NetSpec
from plasticity_rl.types import NetState


def injection(
  spec: AgentSpec,
  *,
  nets: Sequence[str] | None = None,
  third_term: bool = True,
  freeze_original: bool = True,
  optimizer_state: str = 'reset_head',
) -> Intervention:
  """Injects a fresh head into each network (see `plasticity_rl.injection`).

  Online and target receive the same draw; the target's frozen theta is its
  own, and target updates go on over the whole tree.

  Args:
    spec: the agent.
    nets: networks to inject; by default those that the agent names.
    third_term: subtract the frozen copy of the fresh head.
    freeze_original: freeze the original head.
    optimizer_state: 'reset_head', 'keep' or 'reset_all'.
  """
  checks.choice('optimizer_state', optimizer_state, core.OPTIMIZER_STATES)
  checks.choice('third_term', third_term, (True, False))
  checks.choice('freeze_original', freeze_original, (True, False))
  if spec.slots and not freeze_original:
    raise UserError(
      'injection: freeze_original=False grows the network, so that '
      f'network.slots must be 0: {spec.slots}'
    )
  options = {
    'third_term': third_term,
    'freeze_original': freeze_original,
    'slots': spec.slots > 0,
  }

  def transform(key: Key, net: NetSpec, state: NetState) -> NetState:
    params, opt_state = core.inject(
      key,
      net.network,
      state.params,
      net.optimizer,
      state.opt_state,
      optimizer_state=optimizer_state,
      **options,
    )
    target = state.target
    if target is not None:
      target = core.inject_params(key, net.network, target, **options)
    # The same draw; without a slot left there was none.
    fresh = {core.HEAD: net.network.draw_head(key)}
    if options['slots']:
      full = core.is_full(state.params)
      fresh = jax.tree.map(
        lambda new, old: jnp.where(full, old, new),
        fresh,
        {core.HEAD: state.initial[core.HEAD]},
      )
    return NetState(
      params, target, opt_state, initial={**state.initial, **fresh}
    )

  return on_nets(spec, nets, transform)
