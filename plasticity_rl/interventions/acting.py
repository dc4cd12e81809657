"""Who acts after an intervention: the policy of before, for some steps.

A reset changes two things at once: what is learned from then on, and what is
done, hence which data come in. With `act_with="old"` the policy of before goes
on collecting data for `act_steps` steps while the new network learns from
them, which separates the two. Evaluations are of the new network.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from plasticity_rl import checks
from plasticity_rl import errors
from plasticity_rl.interventions import base
from plasticity_rl.types import Key
from plasticity_rl.types import NetState
from plasticity_rl.types import TrainState
from plasticity_rl.types import Transition

# Where it is kept in `TrainState.interventions`; no label looks like this.
KEY = '(acting)'
OPTIONS = ('act_with', 'act_steps')


class Acting(NamedTuple):
  """The networks of a seed in training, and those that act at times.

  Attributes:
    nets: in training.
    old: those of before; parameters only.
    use_old: whether the old ones act, bool [].
  """

  nets: dict[str, NetState]
  old: dict[str, NetState]
  use_old: jax.Array


def acting(
  nets: dict[str, NetState], own: dict[str, Any], step: jax.Array
) -> Any:
  """What to act with at `step`: the networks, or an `Acting`."""
  if KEY not in own:
    return nets
  kept = own[KEY]
  old = {
    name: NetState(params, None, None, None)
    for name, params in kept['params'].items()
  }
  return Acting(nets, old, step < kept['until'])


def with_old_policy(
  intervention: base.Intervention, act_with: Any, act_steps: Any
) -> base.Intervention:
  """The intervention, after which the old policy acts for `act_steps`."""
  checks.choice('act_with', act_with, ('old', 'new'))
  if type(act_steps) is not int or (act_steps > 0) != (act_with == 'old'):
    raise errors.UserError(
      'act_steps must be a positive whole number with act_with="old", and '
      f'is not given otherwise: {act_steps!r}'
    )
  if act_with == 'new':
    return intervention

  def apply(
    key: Key, state: TrainState, own: Any, batch: Transition
  ) -> tuple[TrainState, Any]:
    kept = {
      # Copies, since the buffers of a state are donated and so must differ.
      'params': {
        name: jax.tree.map(jnp.copy, net.params)
        for name, net in state.nets.items()
      },
      'until': state.counters.step + act_steps,
    }
    state, own = intervention.apply(key, state, own, batch)
    return state._replace(interventions={**state.interventions, KEY: kept}), own

  return base.Intervention(intervention.init, apply)
