"""Continual backprop (Dohare et al., 2024)."""

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp

from plasticity_rl import injection as core
from plasticity_rl.interventions import base
from plasticity_rl.interventions import units
from plasticity_rl.types import AgentSpec


def continual_backprop(
  spec: AgentSpec,
  *,
  rate: float = 1e-4,
  maturity: int = 100,
  decay: float = 0.99,
  count: str = 'keep',
  nets: Sequence[str] | None = None,
) -> base.Intervention:
  """Replaces a small fraction of the least useful mature units at each call.

  Of every unit i of a hidden layer, with eta = `decay` and h on the batch:

      u_i <- eta u_i + (1 - eta) mean|h_i| sum_k |w_out,ik|    (contribution)
      f_i <- eta f_i + (1 - eta) mean(h_i)                     (mean activation)
      a_i <- a_i + 1                                           (age, in calls)

  The means are over the batch, and over positions for a channel. Both averages
  are divided by 1 - eta^a_i, their bias. At each call `rate` x (the number of
  units with a_i > `maturity`) is added to what the layer has to replace; the
  whole part of that many mature units of the lowest utility are replaced, the
  fraction waits. A replaced unit's incoming weights are drawn again from its
  layer's initialiser and its outgoing ones become zero; f_i w_out,i goes into
  the next layer's biases, which changes no output if h_i is constant. Its
  utility, mean, age, and the optimizer's moments of its weights become zero.
  Online and target receive the same, the target with its own w_out.

  Dohare et al., "Loss of Plasticity in Deep Continual Learning", Nature 2024;
  meant to happen after every update: `every_updates=1`. Deviations: features
  are those after the update, of one more forward pass; a unit that another
  intervention draws again counts as new. Frozen and thawed heads are left
  alone, and so, while there are any, is the last layer of the encoder, which
  feeds them. Own state: a few numbers a unit.

  Args:
    spec: the agent.
    rate: replacement rate, per call and mature unit, 0 to 1. The paper uses
      1e-4 to 1e-6. With 0 networks never change.
    maturity: calls that a unit is safe for; 100 to 10,000 in the paper.
    decay: eta, 0 to 1, below 1; 0.99 in the paper.
    count: what becomes of the optimizer's counts: 'keep' or 'reset'. The paper
      counts steps by weight, which optax does not; with replacements this
      frequent, groups whose count starts anew each time would hardly move, so
      that the default is to keep them (see `units.reset_moments`).
    nets: networks to act on; by default those that the agent names.
  """
  base.check_number('continual_backprop: rate', rate, 0, 1)
  base.check_count('continual_backprop: maturity', maturity, 0)
  base.check_number('continual_backprop: decay', decay, 0, below=1)
  base.check_choice('count', count, units.COUNT)

  def init(net, state):
    def one(layer, mark):
      zeros = jnp.zeros(mark.shape, jnp.float32)
      return {
        'utility': zeros,
        'mean': units.of_features(layer, zeros),
        'age': zeros.astype(jnp.int32),
        'due': jnp.zeros([], jnp.float32),
        'drawn': jnp.copy(mark),
      }

    marks = units.drawn(net, state)
    return {
      hidden.name: one(hidden.layer, marks[hidden.name])
      for hidden in units.hidden_layers(net)
    }

  def transform(key, net, state, own, features):
    plain = core.trainable(state.params)
    marks = units.drawn(net, state)
    replaced, means, new = {}, {}, {}
    for hidden in units.hidden_layers(net):
      name = hidden.name
      h = features[name]
      mine = observe(
        restart(own[name], own[name]['drawn'] != marks[name]),
        contribution=units.over_features(
          hidden.layer,
          units.unit_activity(h) * units.outgoing_magnitude(hidden, plain),
        ),
        mean=h.reshape(-1, h.shape[-1]).mean(0),
        decay=decay,
      )
      utility, means[name] = corrected(mine, decay)
      eligible = units.may_recycle(state.params, hidden) & (
        mine['age'] > maturity
      )
      replaced[name], due = choose(utility, eligible, mine['due'], rate)
      new[name] = {**restart(mine, replaced[name]), 'due': due}
    state = units.recycle(key, net, state, replaced, count=count, means=means)
    marks = units.drawn(net, state)
    return state, {n: {**mine, 'drawn': marks[n]} for n, mine in new.items()}

  return units.on_features(spec, nets, transform, init)


def observe(
  own: dict[str, jax.Array],
  *,
  contribution: jax.Array,
  mean: jax.Array,
  decay: float,
) -> dict[str, jax.Array]:
  """Own state of a layer after one more call; `[U]`, the mean `[F]`."""
  return {
    **own,
    'utility': decay * own['utility'] + (1 - decay) * contribution,
    'mean': decay * own['mean'] + (1 - decay) * mean,
    'age': own['age'] + 1,
  }


def corrected(
  own: dict[str, jax.Array], decay: float
) -> tuple[jax.Array, jax.Array]:
  """Utility and mean activation without the bias of their start, `[U]`."""
  bias = 1 - decay ** own['age'].astype(jnp.float32)
  return own['utility'] / bias, own['mean'] / _like(bias, own['mean'])


def restart(own: dict[str, jax.Array], new: jax.Array) -> dict[str, jax.Array]:
  """Own state of a layer of which some units, bool `[U]`, are new."""
  zeroed = ('utility', 'mean', 'age')
  return {
    **own,
    **{
      k: jnp.where(_like(new, own[k]), jnp.zeros_like(own[k]), own[k])
      for k in zeroed
    },
  }


def _like(by_unit, by_feature):
  """A unit's value for each of its features."""
  return jnp.tile(by_unit, by_feature.size // by_unit.size)


def choose(
  utility: jax.Array, eligible: jax.Array, due: jax.Array, rate: float
) -> tuple[jax.Array, jax.Array]:
  """Which units to replace, bool `[U]`, and the fraction that remains due."""
  due = due + rate * eligible.sum()
  number = jnp.floor(due)
  # No more than this can be due: a static number, and no sort.
  most = min(utility.size, math.ceil(rate * utility.size) + 1)
  _, lowest = jax.lax.top_k(-jnp.where(eligible, utility, jnp.inf), most)
  chosen = (
    jnp.zeros(utility.shape, bool).at[lowest].set(jnp.arange(most) < number)
  )
  return chosen & eligible, due - number
