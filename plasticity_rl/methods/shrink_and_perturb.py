"""Shrink and perturb (Ash and Adams, "On Warm-Starting...", 2020)."""

import jax
import optax

from plasticity_rl import checks
from plasticity_rl.methods import network
from plasticity_rl.split import replace_trainable
from plasticity_rl.split import trainable
from plasticity_rl.types import NetState
from plasticity_rl.types import Params


def check_options(shrink: float, perturb: float) -> None:
  """Refuses options that `shrink_and_perturb` does not take.

  Raises:
    UserError: an option is unknown or out of its range.
  """
  checks.number('shrink_and_perturb: shrink', shrink, 0, 1)
  checks.number('shrink_and_perturb: perturb', perturb, 0)


def shrink_and_perturb(
  key: jax.Array,
  params: Params,
  *,
  init: network.Init | None = None,
  shrink: float = 0.5,
  perturb: float = 0.5,
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
    shrink: S, 0 to 1.
    perturb: P, not negative.

  Returns:
    The new parameters.

  Raises:
    UserError: a factor out of its range, or draws of `init` that do not fit the
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
  check_options(shrink, perturb)
  network.check_state(NetState(params, None, None, None))
  plain = trainable(params)
  if init is None:
    drawn = optax.tree.random_like(key, plain, sampler=jax.random.normal)
  else:
    drawn = network.draw(key, init, plain)
  plain = jax.tree.map(lambda p, n: shrink * p + perturb * n, plain, drawn)
  return replace_trainable(params, plain)
