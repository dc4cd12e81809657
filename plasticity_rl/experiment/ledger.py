"""What a run computes, in floating-point operations.

XLA counts the body of a scan once, whatever its length, so that the cost of a
segment cannot be read off its program. A ledger is the cost of one decision
and of one update, each lowered by itself, times counters.
"""

from typing import NamedTuple

import jax

from plasticity_rl.agents.base import Agent
from plasticity_rl.experiment.streams import Stream
from plasticity_rl.types import TrainState


class Costs(NamedTuple):
  """FLOPs of one decision and of one update of one seed."""

  act: float
  update: float


def _flops(function, *args):
  analysis = jax.jit(function).lower(*args).cost_analysis()
  return float((analysis or {}).get('flops', 0.0))


def costs(agent: Agent, stream: Stream, state: TrainState) -> Costs:
  """Costs of one seed of `state` (arrays or shapes), from lowered programs."""
  def first(tree):
    return jax.tree.map(
        lambda x: jax.ShapeDtypeStruct(x.shape[1:], x.dtype), tree
    )

  nets, replay, env = (
      first(x) for x in (state.nets, state.replay, state.env)
  )
  key = jax.ShapeDtypeStruct((2,), 'uint32')
  counters = jax.tree.map(
      lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), state.counters
  )
  batch = jax.eval_shape(stream.sample, key, env, replay, counters)
  one = jax.tree.map(
      lambda x: jax.ShapeDtypeStruct((1, *x.shape[1:]), x.dtype), batch
  )
  act = _flops(agent.act_greedily, key, nets, one.s_tm1)
  update = _flops(agent.update, key, nets, batch, counters.updates)
  return Costs(act, update)
