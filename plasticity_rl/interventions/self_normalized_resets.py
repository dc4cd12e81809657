"""Self-normalized resets (Farias and Jozefiak, 2024)."""

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp

from plasticity_rl.interventions import base
from plasticity_rl.interventions import units
from plasticity_rl.types import AgentSpec

Own = dict[str, jax.Array]


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
      `units.reset_moments`).
    nets: networks to act on; by default those that the agent names.
  """
  base.check_number('self_normalized_resets: eta', eta, 0, below=1)
  base.check_number('self_normalized_resets: decay', decay, 0, 1)
  base.check_choice('count', count, units.COUNT)

  def init(net, state):
    def one(mark):
      zeros = jnp.zeros(mark.shape, jnp.float32)
      return {
        'silent': zeros.astype(jnp.int32),
        'gaps': zeros,
        'length': zeros,
        'drawn': jnp.copy(mark),
      }

    return jax.tree.map(one, units.drawn(net, state))

  def transform(key, net, state, own, features):
    marks = units.drawn(net, state)
    silent, new = {}, {}
    for hidden in units.hidden_layers(net):
      name = hidden.name
      mine = observe(
        restart(own[name], own[name]['drawn'] != marks[name]),
        fires=units.over_features(
          hidden.layer, units.unit_activity(features[name])
        )
        > 0,
        decay=decay,
      )
      silent[name] = units.may_recycle(state.params, hidden) & (
        log_tail(mine) <= (math.log(eta) if eta else -math.inf)
      )
      new[name] = restart(mine, silent[name])
    state = units.recycle(key, net, state, silent, count=count)
    marks = units.drawn(net, state)
    return state, {n: {**mine, 'drawn': marks[n]} for n, mine in new.items()}

  return units.on_features(spec, nets, transform, init)


def observe(own: Own, *, fires: jax.Array, decay: float) -> Own:
  """Own state of a layer after one more call; all `[U]`."""
  since = own['silent'] + 1
  return {
    **own,
    'silent': jnp.where(fires, 0, since),
    'gaps': jnp.where(fires, decay * own['gaps'] + 1, own['gaps']),
    'length': jnp.where(fires, decay * own['length'] + since, own['length']),
  }


def log_tail(own: Own) -> jax.Array:
  """log P(A > a) of each unit, `[U]`."""
  p = (own['gaps'] + 1) / (own['length'] + 2)
  return own['silent'] * jnp.log1p(-p)


def restart(own: Own, new: jax.Array) -> Own:
  """Own state of a layer of which some units, bool `[U]`, are new."""
  zeroed = ('silent', 'gaps', 'length')
  return {
    **own,
    **{k: jnp.where(new, jnp.zeros_like(own[k]), own[k]) for k in zeroed},
  }
