"""ReDo: recycling dormant units (Sokar et al., 2023)."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax

from plasticity_rl import checks
from plasticity_rl.layers import Layer
from plasticity_rl.measures.units import dormancy_scores
from plasticity_rl.methods import network
from plasticity_rl.methods import units
from plasticity_rl.methods.moments import COUNT
from plasticity_rl.methods.recycle import recycle
from plasticity_rl.split import trainable
from plasticity_rl.types import NetState
from plasticity_rl.types import Params


def check_options(tau: float, count: str) -> None:
  """Refuses options that `redo` does not take.

  Raises:
    UserError: an option is unknown or out of its range.
  """
  checks.number('redo: tau', tau, float('-inf'))
  checks.choice('count', count, COUNT)


def redo(
  key: jax.Array,
  params: Params,
  features: Mapping[str, jax.Array],
  layers: Sequence[Layer],
  *,
  init: network.Init,
  tau: float = 0.025,
  count: str = 'reset',
  target: Params | None = None,
  opt_state: Any = None,
  initial: Params | None = None,
) -> NetState:
  """Recycles every hidden unit whose dormancy score is at most tau.

  s_i = E|h_i| / (mean over the layer's units k of E|h_k|), the expectations
  over the batch, and over positions for a channel of a convolution. Incoming
  weights and biases are drawn again by the network's initialiser, outgoing
  weights become zero, and so do the optimizer's moments of both. Outputs do
  not change if the units are exactly dead.

  Sokar et al., "The Dormant Neuron Phenomenon in Deep Reinforcement Learning",
  2023; meant to happen every 1000 updates or so. It can be compiled: only
  `layers`, `init`, `tau` and `count` are static. The key is consumed.

  Args:
    key: seeds the draw.
    params: of the network, nested dicts of arrays, perhaps injected.
    features: of each hidden layer after its activation, `[B, U]` or
      `[B, ..., U]`, by the layer's name.
    layers: of the network in the order of the forward pass, as
      `declare_layers` makes them.
    init: `(key) -> params`, the network's initialiser; of an injected network,
      of what learns.
    tau: threshold. 0.025 goes with a period of 1000 in the paper's code, 0.1
      is in its text. Below zero nothing is recycled.
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
    UserError: layers, features, `target`, `initial` or draws of `init` that do
      not fit the parameters, features that are not finite, or an unknown
      option.

  Example:
    >>> import jax
    >>> import jax.numpy as jnp
    >>> import plasticity_rl as pl
    >>> def init(key):
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
    >>> params = init(jax.random.PRNGKey(0))
    >>> layers = pl.declare_layers({'first': ['first'], 'last': ['last']})
    >>> features = {'first': jnp.array([[1.0, 0.0, 2.0, 0.5]])}
    >>> new = pl.redo(
    ...   jax.random.PRNGKey(1), params, features, layers, init=init
    ... ).params
    >>> (new['first']['w'] != params['first']['w']).any(0).tolist()
    [False, True, False, False]
    >>> (new['last']['w'] == 0).all(1).tolist()
    [False, True, False, False]
  """
  check_options(tau, count)
  state = NetState(params, target, opt_state, initial)
  network.check_state(state)
  plain = trainable(params)
  network.check_layers(plain, layers)
  features = network.check_features(plain, layers, features)
  dormant = {
    hidden.name: units.may_recycle(params, hidden)
    & (
      dormancy_scores(features[hidden.name], hidden.layer.features_per_unit)
      <= tau
    )
    for hidden in units.hidden_layers(layers)
  }
  return recycle(key, state, layers, dormant, init=init, count=count)
