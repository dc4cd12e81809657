"""ReGraMa: recycling units that get little gradient (Liu et al., 2025)."""

from collections.abc import Sequence
from typing import Any

import jax

from plasticity_rl import checks
from plasticity_rl.layers import Layer
from plasticity_rl.layers import get_layer
from plasticity_rl.measures.gradients import is_inactive
from plasticity_rl.methods import network
from plasticity_rl.methods import units
from plasticity_rl.methods.moments import COUNT
from plasticity_rl.methods.recycle import recycle
from plasticity_rl.split import trainable
from plasticity_rl.types import NetState
from plasticity_rl.types import Params


def check_options(tau: float, count: str) -> None:
  """Refuses options that `regrama` does not take.

  Raises:
    UserError: an option is unknown or out of its range.
  """
  checks.number('regrama: tau', tau, float('-inf'))
  checks.choice('count', count, COUNT)


def regrama(
  key: jax.Array,
  params: Params,
  gradient: Params,
  layers: Sequence[Layer],
  *,
  init: network.Init,
  tau: float = 0.01,
  count: str = 'reset',
  target: Params | None = None,
  opt_state: Any = None,
  initial: Params | None = None,
) -> NetState:
  """Recycles every hidden unit whose weights get too little gradient.

      G_i = E|g_i| / (mean over the layer's units k of E|g_k|) <= tau,

  g_i the gradient of the mean loss by the incoming weights of unit i and E the
  mean over them. What becomes of such a unit is what `redo` does: incoming
  weights and biases are drawn again by the network's initialiser, outgoing
  weights become zero, and so do the optimizer's moments of both.

  Liu et al., "Measure Gradients, Not Activations! Enhancing Neuronal Activity
  in Deep Reinforcement Learning", 2025; meant to happen every 1000 updates or
  so. See `measures.grama` for where text and published code differ. Their code
  also draws the outputs of a network again and leaves outgoing weights, which
  their text sets to zero: this follows the text. A unit that is dead behind a
  ReLU has G_i = 0. The key is consumed; it can be compiled.

  Args:
    key: seeds the draw.
    params: of the network, nested dicts of arrays, perhaps injected.
    gradient: of the loss by the parameters, or by the part of them that learns.
    layers: of the network in the order of the forward pass, as
      `declare_layers` makes them.
    init: `(key) -> params`, the network's initialiser; of an injected network,
      of what learns.
    tau: threshold, 0.01 in the paper, and 0 of its networks of tanh or sigmoid
      units. Below zero nothing is recycled.
    count: 'reset' or 'keep', of step counts that the optimizer keeps for the
      head or the encoder alone (`grouped`); other counts stay. With a stale
      count Adam's first steps on fresh moments are several times too large.
    target: parameters of a target network, which receives the same draw.
    opt_state: the optimizer's state, of any optax optimizer of `params`.
    initial: parameters as they were drawn, in which recycled units become
      those of the new draw (see `losses.l2_init`).

  Returns:
    A `types.NetState` of `params`, `target`, `opt_state` and `initial`; what
    was not given is None.

  Raises:
    UserError: layers, `gradient`, `target`, `initial` or draws of `init` that
      do not fit the parameters, a gradient that is not finite, or an unknown
      option.

  Example:
    >>> import jax
    >>> import jax.numpy as jnp
    >>> import plasticity_rl as pl
    >>> def init(key):
    ...   w = jax.random.normal(key, [4, 2])
    ...   return {'first': {'w': w.T}, 'last': {'w': w}}
    >>> def loss(params, x):  # The second unit is dead.
    ...   h = jax.nn.relu(x @ params['first']['w'] + jnp.eye(4)[1] * -100)
    ...   return jnp.square(h @ params['last']['w'] - 1).mean()
    >>> params = init(jax.random.PRNGKey(0))
    >>> x = jax.random.normal(jax.random.PRNGKey(1), [16, 2])
    >>> new = pl.regrama(
    ...   jax.random.PRNGKey(2),
    ...   params,
    ...   jax.grad(loss)(params, x),
    ...   pl.declare_layers({'first': ['first'], 'last': ['last']}, bias=None),
    ...   init=init,
    ... ).params
    >>> (new['last']['w'] == 0).all(1).tolist()
    [False, True, False, False]
  """
  check_options(tau, count)
  state = NetState(params, target, opt_state, initial)
  network.check_state(state)
  plain = trainable(params)
  network.check_layers(plain, layers)
  gradient = network.check_gradient(plain, gradient)
  inactive = {
    hidden.name: units.may_recycle(params, hidden)
    & is_inactive(get_layer(gradient, hidden.layer)[hidden.layer.weight], tau)
    for hidden in units.hidden_layers(layers)
  }
  return recycle(key, state, layers, inactive, init=init, count=count)
