"""Resets: weights are drawn again (Nikishin et al., 2022)."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import optax

from plasticity_rl import checks
from plasticity_rl.errors import UserError
from plasticity_rl.layers import get_path
from plasticity_rl.layers import put_path
from plasticity_rl.methods import network
from plasticity_rl.methods.moments import COUNT
from plasticity_rl.methods.moments import reset_moments
from plasticity_rl.methods.recycle import select
from plasticity_rl.split import replace_trainable
from plasticity_rl.split import trainable
from plasticity_rl.types import NetState
from plasticity_rl.types import Params


def reset_layers(
  key: jax.Array,
  params: Params,
  paths: Sequence[Sequence[str]],
  *,
  init: network.Init,
  count: str = 'reset',
  target: Params | None = None,
  opt_state: Any = None,
  initial: Params | None = None,
) -> NetState:
  """Draws layers again by the network's initialiser.

  Nikishin et al., "The Primacy Bias in Deep Reinforcement Learning", 2022, who
  reset the last layers and keep the replay. The optimizer's moments of what is
  drawn again become zero. Of an injected head what learns is drawn again, and
  frozen heads stay. The key is consumed.

  Args:
    key: seeds the draw.
    params: of the network, nested dicts of arrays, perhaps injected.
    paths: what to draw again: subtrees of the parameters, such as the `path` of
      a `Layer`.
    init: `(key) -> params`, the network's initialiser; of an injected network,
      of what learns.
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
    UserError: paths, `target`, `initial` or draws of `init` that do not fit the
      parameters, or an unknown option.

  Example:
    >>> import jax
    >>> import plasticity_rl as pl
    >>> def init(key):
    ...   w = jax.random.normal(key, [4, 4])
    ...   return {'first': {'w': w}, 'last': {'w': w}}
    >>> params = init(jax.random.PRNGKey(0))
    >>> new = pl.reset_layers(
    ...   jax.random.PRNGKey(1), params, [('last',)], init=init
    ... ).params
    >>> {
    ...   name: bool((new[name]['w'] == params[name]['w']).all())
    ...   for name in new
    ... }
    {'first': True, 'last': False}
  """
  checks.choice('count', count, COUNT)
  state = NetState(params, target, opt_state, initial)
  network.check_state(state)
  plain = trainable(params)
  if isinstance(paths, str) or not paths:
    raise UserError(
      f'paths: expected paths of layers to draw again, found {paths!r}'
    )
  for path in paths:
    if isinstance(path, str):
      raise UserError(f'paths: a path is a sequence of keys, found {path!r}')
    network.check_path(plain, path, 'paths')
  mask = jax.tree.map(lambda x: jnp.zeros(x.shape, bool), plain)
  for path in paths:
    ones = jax.tree.map(
      lambda x: jnp.ones(x.shape, bool), get_path(plain, path)
    )
    mask = put_path(mask, path, ones)
  return redraw_masked(state, mask, network.draw(key, init, plain), count)


def reset_weights(
  key: jax.Array,
  params: Params,
  fraction: float,
  *,
  init: network.Init,
  count: str = 'reset',
  target: Params | None = None,
  opt_state: Any = None,
  initial: Params | None = None,
) -> NetState:
  """Draws a random subnetwork again: each weight with probability `fraction`.

  Weights and biases are chosen independently. The optimizer's moments of what
  is drawn again become zero. Frozen heads of an injected network stay. The key
  is consumed. It is the intervention `reset(scope="random")`.

  Args:
    key: seeds the choice and the draw.
    params: of the network, nested dicts of arrays, perhaps injected.
    fraction: 0 to 1; 0 changes nothing.
    init: `(key) -> params`, the network's initialiser; of an injected network,
      of what learns.
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
    UserError: a fraction outside of [0, 1], an unknown option, or `target`,
      `initial` or draws of `init` that do not fit the parameters.

  Example:
    >>> import jax
    >>> import plasticity_rl as pl
    >>> def init(key):
    ...   return {'first': {'w': jax.random.normal(key, [40, 50])}}
    >>> params = init(jax.random.PRNGKey(0))
    >>> new = pl.reset_weights(
    ...   jax.random.PRNGKey(1), params, 0.25, init=init
    ... ).params
    >>> changed = (new['first']['w'] != params['first']['w']).mean()
    >>> bool(abs(changed - 0.25) < 0.05)
    True
  """
  checks.number('reset: fraction', fraction, 0, 1)
  checks.choice('count', count, COUNT)
  state = NetState(params, target, opt_state, initial)
  network.check_state(state)
  mask_key, draw_key = jax.random.split(key)
  fresh = network.draw(draw_key, init, trainable(params))
  mask = jax.tree.map(
    lambda u: u < fraction,
    optax.tree.random_like(mask_key, fresh, sampler=jax.random.uniform),
  )
  return redraw_masked(state, mask, fresh, count)


def redraw_masked(
  state: NetState, mask: Params, fresh: Params, count: str
) -> NetState:
  """The weights of `mask` become those of `fresh`, online and target alike."""

  def fill(params: Params) -> Params:
    return replace_trainable(params, select(mask, fresh, trainable(params)))

  target, initial = state.target, state.initial
  return NetState(
    params=fill(state.params),
    target=None if target is None else fill(target),
    opt_state=reset_moments(state.opt_state, mask, count=count),
    initial=None if initial is None else select(mask, fresh, initial),
  )
