"""Shrink and perturb (Ash and Adams, "On Warm-Starting...", 2020)."""

from collections.abc import Mapping
from typing import Any, TypeAlias

import jax
import optax

from plasticity_rl import checks
from plasticity_rl.errors import UserError
from plasticity_rl.methods import network
from plasticity_rl.split import replace_trainable
from plasticity_rl.split import trainable
from plasticity_rl.types import NetState
from plasticity_rl.types import Params

# A number, or nested dicts of numbers that begin as the parameters do.
Factor: TypeAlias = float | Mapping[str, Any]


def check_options(shrink: Factor, perturb: Factor, params: Params) -> None:
  """Refuses options that `shrink_and_perturb` does not take.

  Raises:
    UserError: a factor is out of its range, or does not fit the parameters.
  """
  plain = trainable(params)
  for name, factor, most in (
    ('shrink', shrink, 1),
    ('perturb', perturb, float('inf')),
  ):
    what = f'shrink_and_perturb: {name}'
    for number in jax.tree.leaves(factor, is_leaf=_is_number):
      checks.number(what, number, 0, most)
    try:
      spread(factor, plain)
    except ValueError:
      raise UserError(
        f'{what}: numbers by part have to begin as the parameters do, which are'
        f' of {list(plain)}: {factor!r}'
      ) from None


def spread(factor: Factor, like: Params) -> Params:
  """The factor of every leaf, in the structure of `like`."""
  return jax.tree.map(
    lambda number, part: jax.tree.map(lambda _: number, part),
    factor,
    like,
    is_leaf=_is_number,
  )


def _is_number(factor: Factor) -> bool:
  return not isinstance(factor, Mapping)


def shrink_and_perturb(
  key: jax.Array,
  params: Params,
  *,
  init: network.Init | None = None,
  shrink: Factor = 0.5,
  perturb: Factor = 0.5,
) -> Params:
  """theta <- shrink * theta + perturb * noise, for all that learns.

  Ash and Adams, "On Warm-Starting Neural Network Training", 2020. Call it with
  the same key on a target network, so that both receive the same noise. As all
  weights change, start the optimizer anew by its own `init`, or keep its state
  where the change is small. Frozen heads of an injected network stay. The key
  is consumed.

  Args:
    key: seeds the noise.
    params: of the network, nested dicts of arrays, perhaps injected.
    init: `(key) -> params`, the network's initialiser, whose draw is the noise;
      of an injected network, of what learns. Without it the noise is
      independent and normal, of standard deviation 1.
    shrink: S, 0 to 1; a number, or numbers by part, nested dicts that begin as
      the parameters do. With S = 1 - a and P = a each part is mixed with a
      fresh draw on one scale, from 0, which keeps it, to 1, which resets it:
      `shrink={'encoder': 0.5, 'head': 0.0}`, `perturb={'encoder': 0.5, 'head':
      1.0}` for one that is reset halfway and one that is reset.
    perturb: P, not negative; as S.

  Returns:
    The new parameters.

  Raises:
    UserError: a factor out of its range or of parts that the parameters do not
      have, or draws of `init` that do not fit the
      parameters.

  Example:
    >>> import jax
    >>> import jax.numpy as jnp
    >>> import plasticity_rl as pl
    >>> params = {'first': {'w': jnp.ones([2, 3])}}
    >>> new = pl.shrink_and_perturb(
    ...   jax.random.PRNGKey(0), params, shrink=0.8, perturb=0.01
    ... )
    >>> bool(jnp.allclose(new['first']['w'], 0.8, atol=0.05))
    True
  """
  network.check_state(NetState(params, None, None, None))
  check_options(shrink, perturb, params)
  plain = trainable(params)
  if init is None:
    drawn = optax.tree.random_like(key, plain, sampler=jax.random.normal)
  else:
    drawn = network.draw(key, init, plain)
  plain = jax.tree.map(
    lambda s, p, old, noise: s * old + p * noise,
    spread(shrink, plain),
    spread(perturb, plain),
    plain,
    drawn,
  )
  return replace_trainable(params, plain)
