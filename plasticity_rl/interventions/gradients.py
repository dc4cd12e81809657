"""Interventions that look at the gradient of what a network is trained on."""

from collections.abc import Callable, Sequence
from typing import Any

import jax

from plasticity_rl.interventions import base
from plasticity_rl.split import gradient_of
from plasticity_rl.types import AgentSpec
from plasticity_rl.types import Key
from plasticity_rl.types import NetSpec
from plasticity_rl.types import NetState
from plasticity_rl.types import Params
from plasticity_rl.types import TrainState
from plasticity_rl.types import Transition


def on_gradients(
  spec: AgentSpec,
  names: Sequence[str],
  transform: Callable[
    [Key, NetSpec, NetState, Any, Params], tuple[NetState, Any]
  ],
  init: Callable[[NetSpec, NetState], Any] = lambda net, state: (),
) -> base.Intervention:
  """An intervention that looks at the online networks' gradients.

  It costs a forward and a backward pass on the batch.

  Args:
    spec: the agent.
    names: networks to act on, checked.
    transform: `(key, net, state, own, gradient) -> (state, own)`. The gradient
      is that of the mean loss, without any penalty, by what learns, on the
      probe batch (inside the loop: on the batch just learned from, after the
      update).
    init: `(net, state) -> own`, the intervention's own state of a network.
  """

  def look(
    key: Key, state: TrainState, batch: Transition
  ) -> tuple[Key, dict[str, Params]]:
    key, loss_key = jax.random.split(key)
    losses = spec.losses(loss_key, state.nets, batch)
    return key, {
      name: gradient_of(losses[name], state.nets[name].params) for name in names
    }

  return base.looking(spec, names, look, transform, init)
