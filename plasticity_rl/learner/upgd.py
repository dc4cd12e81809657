"""Utility-based perturbed gradient descent (UPGD)."""

from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import optax

from plasticity_rl.types import Key
from plasticity_rl.types import Params


class ScaleByUpgdState(NamedTuple):
  """State of `scale_by_upgd`.

  Attributes:
    utility: running mean of -g w, in the structure of the parameters.
    key: key of the noise, split at each update.
    direction: state of the transformation d.
  """

  utility: Any
  key: Key
  direction: Any


def scale_by_upgd(
  decay: float = 0.999,
  noise: float = 1e-3,
  direction: optax.GradientTransformation | None = None,
) -> optax.GradientTransformation:
  """Protects useful weights and perturbs the others.

      U <- decay U + (1 - decay) (-g w)
      s = sigmoid(U / max U)
      update = 2 (d(g) + noise xi) (1 - s),    xi ~ N(0, 1)

  Elsayed and Mahmood, "Addressing Loss of Plasticity and Catastrophic
  Forgetting in Continual Learning", 2024. The utility -g w of a weight w is the
  first-order approximation of how much the loss rises if w is set to zero. The
  factor 2 and the defaults are from the authors' code. With this factor, a
  weight of zero utility takes the step d plus noise. With d(g) = g, use the
  learning rates of gradient descent: with those of Adam, weights hardly move.
  With Adam as d, it is the adaptive form of the authors' reinforcement learning
  experiments.

  Deviations from the authors' code:

  - The maximum is over the parameters of this transformation. Under
    `injection.grouped` these are the encoder or the head, not both.
  - U and its maximum have the same bias, 1 - decay^t, which cancels in their
    quotient. The authors' code corrects only U, which saturates the sigmoid in
    the first updates.
  - If no utility is positive, the largest magnitude replaces the maximum.
    Division by a negative maximum would reverse the order of utilities.

  An optax optimizer gets no key. The key is computed from the bits of the
  initial parameters, so it differs between seeds, groups and initialisations.

  Args:
    decay: decay of the utility, beta_u in the paper.
    noise: standard deviation of the perturbation.
    direction: d, for example `optax.scale_by_adam()`; the gradient if None.

  Returns:
    The optax transformation. Its `update` needs the parameters.
  """
  if direction is None:
    direction = optax.identity()

  def init(params: Params) -> ScaleByUpgdState:
    return ScaleByUpgdState(
      optax.tree.zeros_like(params), _key_of(params), direction.init(params)
    )

  def update(gradients, state, params=None):
    if params is None:
      raise ValueError(optax.NO_PARAMS_MSG)
    chex.assert_trees_all_equal_shapes(gradients, state.utility, params)
    utility = jax.tree.map(
      lambda u, g, w: decay * u - (1 - decay) * g * w,
      state.utility,
      gradients,
      params,
    )
    scale = _scale(utility)
    key, noise_key = jax.random.split(state.key)
    xi = optax.tree.random_like(noise_key, gradients, sampler=jax.random.normal)
    directions, direction_state = direction.update(
      gradients, state.direction, params
    )
    updates = jax.tree.map(
      lambda d, x, u: 2 * (d + noise * x) * (1 - jax.nn.sigmoid(u / scale)),
      directions,
      xi,
      utility,
    )
    return updates, ScaleByUpgdState(utility, key, direction_state)

  return optax.GradientTransformation(init, update)


def _scale(utility):
  """The largest utility or, if none is positive, the largest magnitude."""
  leaves = [u.ravel() for u in jax.tree.leaves(utility)]
  if not leaves:  # An encoder without layers.
    return 1.0
  every = jnp.concatenate(leaves)
  largest = every.max()
  magnitude = jnp.abs(every).max()
  return jnp.where(
    largest > 0, largest, jnp.where(magnitude > 0, magnitude, 1.0)
  )


def _key_of(params):
  """A key computed from the bits of the parameters."""
  bits = jnp.zeros([], jnp.uint32)
  for leaf in jax.tree.leaves(params):
    words = jax.lax.bitcast_convert_type(
      jnp.asarray(leaf, jnp.float32), jnp.uint32
    )
    bits += jnp.sum(words, dtype=jnp.uint32)  # Wraps around.
  return jax.random.PRNGKey(bits)
