"""Costs of a run in floating-point operations (FLOPs).

XLA counts the body of a scan only once, so the cost of a segment cannot be read
from its program. Instead, one decision and one update are lowered separately,
and `accounts` multiplies their costs by the numbers of decisions and updates.
"""

from typing import NamedTuple

import jax

from plasticity_rl import injection
from plasticity_rl.agents.base import Agent
from plasticity_rl.types import TrainState
from plasticity_rl.types import Transition


def parameters(state: TrainState) -> dict[str, int]:
  """Counts the parameters of one seed's networks, without target networks.

  Returns:
    'parameters', which includes frozen heads and all slots, and
    'trainable_parameters'.
  """
  counts = {'parameters': 0, 'trainable_parameters': 0}
  for net in state.nets.values():
    head = net.params[injection.HEAD]
    if isinstance(head, injection.InjectedHead):
      head = (head.trainable, head.frozen, head.thawed)
    every = {**net.params, injection.HEAD: head}
    learns = jax.tree.map(
      lambda mask, x: x if mask else None,
      injection.trainable_mask(net.params),
      net.params,
    )
    counts['parameters'] += _size(every)
    counts['trainable_parameters'] += _size(learns)
  return counts


def _size(tree):
  return sum(x.size // x.shape[0] for x in jax.tree.leaves(tree))


class Costs(NamedTuple):
  """FLOPs of one decision and of one update of one seed."""

  act: float
  update: float


def _flops(function, *args):
  analysis = jax.jit(function).lower(*args).cost_analysis()
  return float((analysis or {}).get('flops', 0.0))


def costs(agent: Agent, batch: Transition, state: TrainState) -> Costs:
  """Costs of one seed, from lowered programs.

  Args:
    agent: the agent.
    batch: arrays or shapes of an update's batch.
    state: of all seeds, as arrays or shapes.

  Returns:
    The costs; 0 if XLA does not report them.
  """
  nets = jax.tree.map(
    lambda x: jax.ShapeDtypeStruct(x.shape[1:], x.dtype), state.nets
  )
  key = jax.ShapeDtypeStruct((2,), 'uint32')
  updates = jax.ShapeDtypeStruct((), 'int32')
  one = jax.tree.map(
    lambda x: jax.ShapeDtypeStruct((1, *x.shape[1:]), x.dtype), batch
  )
  act = _flops(agent.act_greedily, key, nets, one.s_tm1)
  update = _flops(agent.update, key, nets, batch, updates)
  return Costs(act, update)
