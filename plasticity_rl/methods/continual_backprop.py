"""Continual backprop (Dohare et al., 2024)."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp

from plasticity_rl import checks
from plasticity_rl.layers import Layer
from plasticity_rl.measures.units import unit_activity
from plasticity_rl.methods import network
from plasticity_rl.methods import units
from plasticity_rl.methods.base import Advanced
from plasticity_rl.methods.base import Observed
from plasticity_rl.methods.base import UnitMethod
from plasticity_rl.methods.base import unit_method
from plasticity_rl.methods.moments import COUNT


class Statistics(NamedTuple):
  """What continual backprop keeps of a layer.

  Attributes:
    utility: running average of the contribution of each unit, `[U]`.
    mean: running average of each feature, `[F]`.
    age: steps since each unit was drawn, int32 `[U]`.
    due: the fraction of a unit that is still to be replaced, `[]`.
    drawn: marks of the draws that units come from, `[U]` (`units.drawn`).
  """

  utility: jax.Array
  mean: jax.Array
  age: jax.Array
  due: jax.Array
  drawn: jax.Array


def check_options(rate: float, maturity: int, decay: float, count: str) -> None:
  """Refuses options that `continual_backprop` does not take.

  Raises:
    UserError: an option is unknown or out of its range.
  """
  checks.number('continual_backprop: rate', rate, 0, 1)
  checks.count('continual_backprop: maturity', maturity, 0)
  checks.number('continual_backprop: decay', decay, 0, below=1)
  checks.choice('count', count, COUNT)


def continual_backprop(
  layers: Sequence[Layer],
  *,
  init: network.Init,
  rate: float = 1e-4,
  maturity: int = 100,
  decay: float = 0.99,
  count: str = 'keep',
) -> UnitMethod:
  """Replaces a small fraction of the least useful mature units at each step.

  Of every unit i of a hidden layer, with eta = `decay` and h on the batch:

      u_i <- eta u_i + (1 - eta) mean|h_i| sum_k |w_out,ik|    (contribution)
      f_i <- eta f_i + (1 - eta) mean(h_i)                     (mean activation)
      a_i <- a_i + 1                                           (age, in steps)

  Both averages are divided by 1 - eta^a_i, their bias. At each step `rate` x
  (the number of units with a_i > `maturity`) is added to what the layer has to
  replace; the whole part of that many mature units of the lowest utility are
  replaced, the fraction waits. A replaced unit's incoming weights are drawn
  again and its outgoing ones become zero; f_i w_out,i goes into the next
  layer's biases, which changes no output if h_i is constant. Its statistics and
  the optimizer's moments of its weights become zero.

  Dohare et al., "Loss of Plasticity in Deep Continual Learning", Nature 2024;
  meant to happen after every update.

  Args:
    layers: of the network in the order of the forward pass, as
      `declare_layers` makes them.
    init: `(key) -> params`, the network's initialiser; of an injected network,
      of what learns.
    rate: replacement rate, per step and mature unit, 0 to 1. The paper uses
      1e-4 to 1e-6. With 0 networks never change.
    maturity: steps that a unit is safe for; 100 to 10,000 in the paper.
    decay: eta, 0 to 1, below 1; 0.99 in the paper.
    count: 'reset' or 'keep', of step counts that the optimizer keeps for the
      head or the encoder alone (`grouped`); other counts stay. With a stale
      count Adam's first steps on fresh moments are several times too large.

  Returns:
    Two pure functions: `init(params)` makes the statistics of every hidden
    layer, and `step(key, statistics, params, features)` gives a
    `types.NetState` and new statistics. `step` also takes `target`,
    `opt_state` and `initial`, as `redo` does, and its key is consumed.

  Raises:
    UserError: an unknown option; and, from `init` and `step`, layers, features
      or parameters that do not fit one another.

  Example:
    >>> import jax
    >>> import jax.numpy as jnp
    >>> import plasticity_rl as pl
    >>> def draw(key):
    ...   keys = jax.random.split(key)
    ...   return {
    ...     'first': {
    ...       'w': jax.random.normal(keys[0], [3, 4]),
    ...       'b': jnp.zeros(4),
    ...     },
    ...     'last': {
    ...       'w': jax.random.normal(keys[1], [4, 2]),
    ...       'b': jnp.zeros(2),
    ...     },
    ...   }
    >>> method = pl.continual_backprop(
    ...   pl.declare_layers({'first': ['first'], 'last': ['last']}),
    ...   init=draw,
    ...   rate=0.25,
    ...   maturity=0,
    ... )
    >>> params = draw(jax.random.PRNGKey(0))
    >>> statistics = method.init(params)
    >>> features = {'first': jnp.array([[1.0, 0.0, 2.0, 0.5]])}
    >>> new, statistics = method.step(
    ...   jax.random.PRNGKey(1), statistics, params, features
    ... )
    >>> (new.params['last']['w'] == 0).all(1).tolist()
    [False, True, False, False]
    >>> statistics['first'].age.tolist()
    [1, 0, 1, 1]
  """
  check_options(rate, maturity, decay, count)

  def advance(own: Statistics, seen: Observed) -> Advanced:
    h, hidden = seen.features, seen.hidden
    mine = observe(
      own,
      contribution=units.over_features(
        hidden.layer,
        unit_activity(h) * units.outgoing_magnitude(hidden, seen.params),
      ),
      mean=h.reshape(-1, h.shape[-1]).mean(0),
      decay=decay,
    )
    utility, mean = corrected(mine, decay)
    eligible = seen.may_recycle & (mine.age > maturity)
    replaced, due = choose(utility, eligible, mine.due, rate)
    return Advanced(restart(mine, replaced)._replace(due=due), replaced, mean)

  return unit_method(
    layers,
    init=init,
    count=count,
    fresh=fresh,
    restart=restart,
    advance=advance,
    biases=True,
  )


def fresh(layer: Layer, marks: jax.Array) -> Statistics:
  """Statistics of a layer before the first step."""
  zeros = jnp.zeros(marks.shape, jnp.float32)
  return Statistics(
    utility=zeros,
    mean=units.of_features(layer, zeros),
    age=zeros.astype(jnp.int32),
    due=jnp.zeros([], jnp.float32),
    drawn=jnp.copy(marks),
  )


def observe(
  own: Statistics,
  *,
  contribution: jax.Array,
  mean: jax.Array,
  decay: float,
) -> Statistics:
  """Statistics of a layer after one more step; `[U]`, the mean `[F]`."""
  return own._replace(
    utility=decay * own.utility + (1 - decay) * contribution,
    mean=decay * own.mean + (1 - decay) * mean,
    age=own.age + 1,
  )


def corrected(own: Statistics, decay: float) -> tuple[jax.Array, jax.Array]:
  """Utility and mean activation without the bias of their start, `[U]`."""
  bias = 1 - decay ** own.age.astype(jnp.float32)
  return own.utility / bias, own.mean / _like(bias, own.mean)


def restart(own: Statistics, new: jax.Array) -> Statistics:
  """Statistics of a layer of which some units, bool `[U]`, are new."""
  utility, mean, age = (
    jnp.where(_like(new, x), jnp.zeros_like(x), x)
    for x in (own.utility, own.mean, own.age)
  )
  return own._replace(utility=utility, mean=mean, age=age)


def _like(by_unit: jax.Array, by_feature: jax.Array) -> jax.Array:
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
