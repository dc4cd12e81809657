"""Self-normalized resets (Farias and Jozefiak, 2024)."""

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
  """What self-normalized resets keep of each unit of a layer, all `[U]`.

  Attributes:
    silent: steps since it last fired, int32.
    gaps: how many gaps it had from one firing to the next, discounted.
    length: their summed length, discounted.
    drawn: marks of the draws that units come from (`units.drawn`).
  """

  silent: jax.Array
  gaps: jax.Array
  length: jax.Array
  drawn: jax.Array


def check_options(eta: float, decay: float, count: str) -> None:
  """Refuses options that `self_normalized_resets` does not take.

  Raises:
    UserError: an option is unknown or out of its range.
  """
  checks.number('self_normalized_resets: eta', eta, 0, below=1)
  checks.number('self_normalized_resets: decay', decay, 0, 1)
  checks.choice('count', count, COUNT)


def self_normalized_resets(
  layers: Sequence[Layer],
  *,
  init: network.Init,
  eta: float = 1e-3,
  decay: float = 0.99,
  count: str = 'keep',
) -> UnitMethod:
  """Recycles units that have been silent for improbably long, each by itself.

  A unit fires at a step if it is not zero on every example of the batch (and
  at every position). With A the number of steps from one firing to the next
  and a the number of steps since the last, it is recycled as soon as

      P(A > a) <= eta,

  so that a unit that always fired is suspected soon and a rare one late. A is
  taken to be geometric, P(A > a) = (1 - p)^a, with p = (n + 1) / (t + 2), n the
  number of the unit's gaps and t their summed length, both multiplied by
  `decay` at each firing. Recycling draws incoming weights again, sets outgoing
  ones and their moments to zero, and forgets the unit's gaps.

  Farias and Jozefiak, "Self-Normalized Resets for Plasticity in Continual
  Learning", 2024; meant to happen after every update. The prior of p and the
  forgetting are ours; the paper compares with a percentile of a histogram of
  gaps.

  Args:
    layers: of the network in the order of the forward pass, as
      `declare_layers` makes them.
    init: `(key) -> params`, the network's initialiser; of an injected network,
      of what learns.
    eta: threshold, 0 to below 1; our choice. With 0 networks never change.
    decay: of the gaps, per firing, 0 to 1; 1 forgets nothing. Our choice.
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
    ...   w = jax.random.normal(key, [4, 2])
    ...   return {'first': {'w': w.T}, 'last': {'w': w}}
    >>> method = pl.self_normalized_resets(
    ...   pl.declare_layers({'first': ['first'], 'last': ['last']}, bias=None),
    ...   init=draw,
    ...   eta=0.1,
    ... )
    >>> params = draw(jax.random.PRNGKey(0))
    >>> statistics = method.init(params)
    >>> features = {'first': jnp.array([[1.0, 0.0, 2.0, 0.5]])}
    >>> for key in jax.random.split(jax.random.PRNGKey(1), 4):
    ...   new, statistics = method.step(key, statistics, params, features)
    >>> (new.params['last']['w'] == 0).all(1).tolist()
    [False, True, False, False]
  """
  check_options(eta, decay, count)

  def advance(own: Statistics, seen: Observed) -> Advanced:
    activity = unit_activity(seen.features)
    mine = observe(
      own,
      fires=units.over_features(seen.hidden.layer, activity) > 0,
      decay=decay,
    )
    silent = seen.may_recycle & (
      log_tail(mine) <= (math.log(eta) if eta else -math.inf)
    )
    return Advanced(restart(mine, silent), silent)

  return unit_method(
    layers,
    init=init,
    count=count,
    fresh=fresh,
    restart=restart,
    advance=advance,
  )


def fresh(layer: Layer, marks: jax.Array) -> Statistics:
  """Statistics of a layer before the first step."""
  del layer
  zeros = jnp.zeros(marks.shape, jnp.float32)
  return Statistics(
    silent=zeros.astype(jnp.int32),
    gaps=zeros,
    length=zeros,
    drawn=jnp.copy(marks),
  )


def observe(own: Statistics, *, fires: jax.Array, decay: float) -> Statistics:
  """Statistics of a layer after one more step; all `[U]`."""
  since = own.silent + 1
  return own._replace(
    silent=jnp.where(fires, 0, since),
    gaps=jnp.where(fires, decay * own.gaps + 1, own.gaps),
    length=jnp.where(fires, decay * own.length + since, own.length),
  )


def log_tail(own: Statistics) -> jax.Array:
  """log P(A > a) of each unit, `[U]`."""
  p = (own.gaps + 1) / (own.length + 2)
  return own.silent * jnp.log1p(-p)


def restart(own: Statistics, new: jax.Array) -> Statistics:
  """Statistics of a layer of which some units, bool `[U]`, are new."""
  silent, gaps, length = (
    jnp.where(new, jnp.zeros_like(x), x)
    for x in (own.silent, own.gaps, own.length)
  )
  return own._replace(silent=silent, gaps=gaps, length=length)
