"""Plasticity injection on a training state, target and optimizer included."""

import dataclasses
from collections.abc import Sequence

import jax
import jax.numpy as jnp

from plasticity_rl import checks
from plasticity_rl import injection as core
from plasticity_rl.errors import UserError
from plasticity_rl.interventions.base import Intervention
from plasticity_rl.interventions.base import check_able
from plasticity_rl.interventions.base import check_nets
from plasticity_rl.interventions.base import on_nets
from plasticity_rl.types import AgentSpec
from plasticity_rl.types import Key
from plasticity_rl.types import NetSpec
from plasticity_rl.types import NetState

FRESH = ('drawn', 'first_draw')
TARGET = ('own', 'online')


def injection(
  spec: AgentSpec,
  *,
  nets: Sequence[str] | None = None,
  third_term: bool = True,
  freeze_original: bool = True,
  optimizer_state: str = 'reset_head',
  fresh: str = 'drawn',
  target: str = 'own',
) -> Intervention:
  """Injects a fresh head into each network (see `plasticity_rl.injection`).

  Online and target receive the same draw; the target's frozen theta is its
  own, and target updates go on over the whole tree.

  What is not by default is an ablation, or a confound that published
  comparisons have: it is for studies (`configs/studies/fire_vs_injection.py`).

  Args:
    spec: the agent.
    nets: networks to inject; by default those that the agent names.
    third_term: subtract the frozen copy of the fresh head.
    freeze_original: freeze the original head.
    optimizer_state: 'reset_head', 'keep' or 'reset_all'.
    fresh: 'drawn', or 'first_draw' for a copy of what the head last began with
      (`NetState.initial`): its first draw, if it was never drawn again.
    target: what the target's frozen theta is: its 'own', so that its
      predictions stay, or that of the 'online' network.
  """
  checks.choice('optimizer_state', optimizer_state, core.OPTIMIZER_STATES)
  checks.choice('third_term', third_term, (True, False))
  checks.choice('freeze_original', freeze_original, (True, False))
  checks.choice('fresh', fresh, FRESH)
  checks.choice('target', target, TARGET)
  if target == 'online':
    targets = {name: net.has_target for name, net in spec.nets.items()}
    names = check_nets(spec, nets)
    if nets is not None or not any(targets[name] for name in names):
      check_able(names, 'target', targets)
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
    network = net.network
    if fresh == 'first_draw':
      first = state.initial[core.HEAD]
      network = dataclasses.replace(network, head_init=lambda *_: first)
    params, opt_state = core.inject(
      key,
      network,
      state.params,
      net.optimizer,
      state.opt_state,
      optimizer_state=optimizer_state,
      **options,
    )
    new_target = state.target
    if new_target is not None:
      new_target = core.inject_params(key, network, new_target, **options)
      if target == 'online':
        new_target = {**new_target, core.HEAD: params[core.HEAD]}
    # The same draw; without a slot left there was none.
    drawn = {core.HEAD: network.draw_head(key)}
    if options['slots']:
      full = core.is_full(state.params)
      drawn = jax.tree.map(
        lambda new, old: jnp.where(full, old, new),
        drawn,
        {core.HEAD: state.initial[core.HEAD]},
      )
    return NetState(
      params, new_target, opt_state, initial={**state.initial, **drawn}
    )

  return on_nets(spec, nets, transform)
