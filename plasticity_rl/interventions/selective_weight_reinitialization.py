"""Selective weight reinitialization (Hernandez-Garcia et al., 2025)."""

from collections.abc import Sequence
from typing import Any

from plasticity_rl.interventions import base
from plasticity_rl.interventions.gradients import on_gradients
from plasticity_rl.methods import selective_weight_reinitialization as method
from plasticity_rl.types import AgentSpec
from plasticity_rl.types import Key
from plasticity_rl.types import NetSpec
from plasticity_rl.types import NetState
from plasticity_rl.types import Params


def selective_weight_reinitialization(
  spec: AgentSpec,
  *,
  utility: str = 'gradient',
  pruning: str = 'threshold',
  factor: float = 0.01,
  count: str = 'reset',
  nets: Sequence[str] | None = None,
) -> base.Intervention:
  """Draws single weights of low utility again (SWR).

      u = |w dL/dw|   or   u = |w|                                (utility)
      u <= factor x mean(u)   or   the factor x d lowest          (pruning)

  of each array of d weights by itself: a layer's weights, its biases, its
  scales and offsets of normalisation; of an ensemble, each member's. Where
  factor x d is no whole number, the rest is the probability of one more. L is
  the mean loss on the probe batch, without penalties. What is chosen by the
  online network is drawn again from its own initialiser; online and target
  receive the same, and the optimizer's moments of it become zero.

  Hernandez-Garcia, Dohare, Luo and Sutton, "Reinitializing Weights vs Units for
  Maintaining Plasticity in Neural Networks", 2025; meant to happen every 1000
  updates or so: `every_updates=1000`. Best of their choices were the defaults.
  We could read what others wrote of the paper and its published code.
  Deviations: the gradient is computed anew (inside the loop, on the batch just
  learned from); in their code moments stay. Their random utility is
  `reset(scope="random")`; a moving average of utilities, off by default there,
  and the return to the initialiser's mean are left out. Frozen and thawed heads
  are left alone.

  Args:
    spec: the agent.
    utility: 'gradient' for |w dL/dw|, the first-order change of the loss if the
      weight were zero; 'magnitude' for |w|.
    pruning: 'threshold' for the weights at or below a share of the mean
      utility, 'proportional' for a fixed number of the lowest.
    factor: of either, not negative, and at most 1 of proportional pruning. The
      default is our choice: theirs were tuned to each problem.
    count: what becomes of the optimizer's counts: 'reset' or 'keep' (see
      `methods.moments` for what either costs).
    nets: networks to act on; by default those that the agent names.
  """
  method.check_options(utility, pruning, factor, count)
  names = base.check_nets(spec, nets)
  base.check_able(
    names, 'layers', {name: net.layers for name, net in spec.nets.items()}
  )

  def transform(
    key: Key, net: NetSpec, state: NetState, own: Any, gradient: Params | None
  ) -> tuple[NetState, Any]:
    state = method.selective_weight_reinitialization(
      key,
      gradient=gradient,
      layers=net.layers,
      init=net.network.init,
      utility=utility,
      pruning=pruning,
      factor=factor,
      count=count,
      **state._asdict(),
    )
    return state, own

  if utility == 'gradient':
    return on_gradients(spec, names, transform)
  return base.on_nets(
    spec,
    names,
    lambda key, net, state: transform(key, net, state, (), None)[0],
  )
