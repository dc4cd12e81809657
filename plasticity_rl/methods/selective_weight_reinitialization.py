"""Selective weight reinitialization (Hernandez-Garcia et al., 2025)."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from plasticity_rl import checks
from plasticity_rl.errors import UserError
from plasticity_rl.layers import Layer
from plasticity_rl.layers import get_layer
from plasticity_rl.layers import put_layer
from plasticity_rl.methods import network
from plasticity_rl.methods.moments import COUNT
from plasticity_rl.methods.resets import redraw_masked
from plasticity_rl.split import trainable
from plasticity_rl.types import NetState
from plasticity_rl.types import Params

UTILITY = ('gradient', 'magnitude')
PRUNING = ('threshold', 'proportional')


def check_options(
  utility: str, pruning: str, factor: float, count: str
) -> None:
  """Refuses options that `selective_weight_reinitialization` does not take.

  Raises:
    UserError: an option is unknown or out of its range.
  """
  checks.choice('utility', utility, UTILITY)
  checks.choice('pruning', pruning, PRUNING)
  what = 'selective_weight_reinitialization: factor'
  if pruning == 'proportional':
    checks.number(f'{what} of proportional pruning', factor, 0, 1)
  else:
    checks.number(what, factor, 0)
  checks.choice('count', count, COUNT)


def selective_weight_reinitialization(
  key: jax.Array,
  params: Params,
  gradient: Params | None,
  layers: Sequence[Layer],
  *,
  init: network.Init,
  utility: str = 'gradient',
  pruning: str = 'threshold',
  factor: float = 0.01,
  count: str = 'reset',
  target: Params | None = None,
  opt_state: Any = None,
  initial: Params | None = None,
) -> NetState:
  """Draws single weights of low utility again.

      u = |w dL/dw|   or   u = |w|                                (utility)
      u <= factor x mean(u)   or   the factor x d lowest          (pruning)

  of each array of d weights by itself: a layer's weights, its biases, its
  scales and offsets of normalisation. Where factor x d is no whole number,
  the rest is the probability of one more. What is chosen by the online network
  is drawn again by the network's initialiser, in the target alike, and the
  optimizer's moments of it become zero.

  Hernandez-Garcia, Dohare, Luo and Sutton, "Reinitializing Weights vs Units for
  Maintaining Plasticity in Neural Networks", 2025; meant to happen every 1000
  updates or so. Best of their choices were the defaults. We could read what
  others wrote of the paper and its published code. There are also a random
  utility, which is `reset_weights`, a moving average of utilities, off by
  default, and a return to the mean of the initialiser, which lost plasticity
  but with the random utility; and the optimizer's state stays. The key is
  consumed; it can be compiled.

  Args:
    key: seeds the choice and the draw.
    params: of the network, nested dicts of arrays, perhaps injected.
    gradient: of the loss by the parameters, or by the part of them that learns;
      None where the utility is 'magnitude'.
    layers: those to look at, as `declare_layers` makes them.
    init: `(key) -> params`, the network's initialiser; of an injected network,
      of what learns.
    utility: 'gradient' for |w dL/dw|, the first-order change of the loss if the
      weight were zero; 'magnitude' for |w|.
    pruning: 'threshold' for the weights at or below a share of the mean
      utility, 'proportional' for a fixed number of the lowest.
    factor: of either, not negative, and at most 1 of proportional pruning. The
      default is our choice: theirs were tuned to each problem.
    count: 'reset' or 'keep', of step counts that the optimizer keeps for the
      head or the encoder alone (`grouped`); other counts stay. With a stale
      count Adam's first steps on fresh moments are several times too large.
    target: parameters of a target network, which receives the same draw.
    opt_state: the optimizer's state, of any optax optimizer of `params`.
    initial: parameters as they were drawn, in which the new draw replaces the
      old one (see `losses.l2_init`).

  Returns:
    A `types.NetState` of `params`, `target`, `opt_state` and `initial`; what
    was not given is None.

  Raises:
    UserError: layers, `gradient`, `target`, `initial` or draws of `init` that
      do not fit the parameters, a gradient that is missing or not finite, or an
      unknown option.

  Example:
    >>> import jax
    >>> import jax.numpy as jnp
    >>> import plasticity_rl as pl
    >>> params = {'first': {'w': jnp.array([[3.0, 0.1], [-2.0, -0.2]])}}
    >>> gradient = {'first': {'w': jnp.array([[1.0, 1.0], [0.0, 9.0]])}}
    >>> new = pl.selective_weight_reinitialization(
    ...   jax.random.PRNGKey(0),
    ...   params,
    ...   gradient,
    ...   pl.declare_layers({'first': ['first']}, bias=None),
    ...   init=lambda key: {'first': {'w': jax.random.normal(key, [2, 2])}},
    ...   factor=0.1,
    ... ).params
    >>> (new['first']['w'] != params['first']['w']).tolist()
    [[False, True], [True, False]]
  """
  check_options(utility, pruning, factor, count)
  state = NetState(params, target, opt_state, initial)
  network.check_state(state)
  plain = trainable(params)
  network.check_weights(plain, layers)
  if utility == 'magnitude':
    values = jax.tree.map(jnp.abs, plain)
  elif gradient is None:
    raise UserError(
      "gradient: None, which utility='magnitude' alone can do without"
    )
  else:
    gradient = network.check_gradient(plain, gradient)
    values = jax.tree.map(lambda w, g: jnp.abs(w * g), plain, gradient)
  choice_key, draw_key = jax.random.split(key)
  mask = jax.tree.map(lambda w: jnp.zeros(w.shape, bool), plain)
  for layer, k in zip(
    layers, jax.random.split(choice_key, len(layers)), strict=True
  ):
    of_layer = get_layer(values, layer)
    leaves, structure = jax.tree.flatten(of_layer)
    chosen = [
      choose(leaf_key, u, pruning, factor)
      for leaf_key, u in zip(
        jax.random.split(k, len(leaves)), leaves, strict=True
      )
    ]
    mask = put_layer(mask, layer, jax.tree.unflatten(structure, chosen))
  return redraw_masked(state, mask, network.draw(draw_key, init, plain), count)


def choose(
  key: jax.Array, utility: jax.Array, pruning: str, factor: float
) -> jax.Array:
  """The weights to draw again, bool; the key is consumed."""
  if pruning == 'threshold':
    return utility <= factor * utility.mean()
  wanted = factor * utility.size
  number = wanted // 1 + (jax.random.uniform(key) < wanted % 1)
  order = jnp.argsort(utility.ravel())
  ranks = jnp.zeros(utility.size, int).at[order].set(jnp.arange(utility.size))
  return (ranks < number).reshape(utility.shape)
