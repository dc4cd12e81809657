"""Hare and Tortoise networks (Lee et al., 2024)."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from plasticity_rl import checks
from plasticity_rl import injection as core
from plasticity_rl.interventions import base
from plasticity_rl.layers import INPUT_NORM
from plasticity_rl.layers import get_layer
from plasticity_rl.layers import put_layer
from plasticity_rl.types import AgentSpec
from plasticity_rl.types import Key
from plasticity_rl.types import NetSpec
from plasticity_rl.types import NetState
from plasticity_rl.types import Params
from plasticity_rl.types import TrainState
from plasticity_rl.types import Transition


def hare_and_tortoise(
  spec: AgentSpec,
  *,
  period: int = 1000,
  momentum: float = 0.999,
  optimizer: str = 'keep',
  nets: Sequence[str] | None = None,
) -> base.Intervention:
  """Every `period` calls the weights that learn become their slow average.

      slow <- momentum * slow + (1 - momentum) * fast    (at each call)
      fast <- slow                                (at every `period`-th call)

  Lee et al., "Slow and Steady Wins the Race: Maintaining Plasticity with Hare
  and Tortoise Networks", 2024; meant to happen after every update:
  `every_updates=1`. Deviations: the slow network is no other thing's (the
  agent acts and is evaluated with the fast one, and the target network stays
  what it is: a copy of fast weights, which follows by its own rule). What
  another intervention draws again starts its average anew. Frozen and thawed
  heads stay as they are. Own state: a copy of the weights, one of their
  initial values, and a count.

  Args:
    spec: the agent.
    period: in calls, at least 1; our choice.
    momentum: of the average, 0 to 1. With 0 the slow weights are the fast ones
      and nothing ever changes (to rounding).
    optimizer: 'keep' or 'reset', for what becomes of the optimizer's state
      when the fast weights are replaced; 'reset' keeps schedules.
    nets: networks to act on; by default those that the agent names.
  """
  checks.count('hare_and_tortoise: period', period, 1)
  checks.number('hare_and_tortoise: momentum', momentum, 0, 1)
  checks.choice('optimizer', optimizer, base.OPTIMIZER)
  names = base.check_nets(spec, nets)

  def init(state: TrainState) -> dict[str, Any]:
    # Copies, since the buffers of a state are donated and so must differ.
    return {
      name: {
        'slow': jax.tree.map(jnp.copy, core.trainable(state.nets[name].params)),
        'initial': jax.tree.map(jnp.copy, state.nets[name].initial),
        'calls': jnp.array(0, jnp.int32),
      }
      for name in names
    }

  def one(
    net: NetSpec, state: NetState, own: dict[str, Any]
  ) -> tuple[NetState, dict[str, Any]]:
    fast = core.trainable(state.params)
    calls = own['calls'] + 1
    new = drawn_since(net, own['initial'], state.initial)
    slow = jax.tree.map(
      # In this form what is equal stays equal, to the bit.
      lambda n, s, f: jnp.where(n, f, s + (1 - momentum) * (f - s)),
      new,
      own['slow'],
      fast,
    )
    due = calls % period == 0

    def when_due(new: Params, old: Params) -> Params:
      return jax.tree.map(lambda n, o: jnp.where(due, n, o), new, old)

    params = core.replace_trainable(state.params, when_due(slow, fast))
    state = state._replace(params=params)
    if optimizer == 'reset':
      fresh = base.reset_groups(net, state, ('encoder', core.HEAD))
      state = state._replace(
        opt_state=when_due(fresh.opt_state, state.opt_state)
      )
    own = {
      'slow': slow,
      'initial': jax.tree.map(jnp.copy, state.initial),
      'calls': calls,
    }
    return state, own

  def apply(
    key: Key, state: TrainState, own: dict[str, Any], batch: Transition
  ) -> tuple[TrainState, dict[str, Any]]:
    del key, batch
    nets, own = dict(state.nets), dict(own)
    for name in names:
      nets[name], own[name] = one(spec.nets[name], nets[name], own[name])
    return state._replace(nets=nets), own

  return base.Intervention(init, apply, nets_only=True)


def drawn_since(net: NetSpec, was: Params, now: Params) -> Params:
  """Which weights were drawn again, bool, by their initial values.

  Biases, scales and offsets of a unit are drawn as the same constants each
  time, so they count as drawn again if one of the unit's weights was; those of
  a layer's inputs, if weights of all its units were.
  """
  new = jax.tree.map(jnp.not_equal, was, now)
  for layer in net.layers:
    own = get_layer(new, layer)
    w = own[layer.weight]
    drawn = w.reshape(-1, w.shape[-1]).any(0)
    of_units = {k: drawn for k in own if k not in (layer.weight, *INPUT_NORM)}
    of_inputs = {k: drawn.all() | own[k] for k in INPUT_NORM if k in own}
    new = put_layer(new, layer, {layer.weight: w, **of_units, **of_inputs})
  return new
