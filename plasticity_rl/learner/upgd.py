"""Utility-based perturbed gradient descent."""

from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import optax

from plasticity_rl.types import Key
from plasticity_rl.types import Params


class ScaleByUpgdState(NamedTuple):
  """State.

  Attributes:
    utility: running mean of -g w, in the structure of the parameters.
    key: of the noise to come, split at each update.
    direction: state of the transformation that says where to go.
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
  Forgetting in Continual Learning", 2024: the first-order utility -g w of a
  weight w approximates how much the loss rises without it. The 2 and the
  defaults are of the authors' code: a weight of no utility takes the step of d.
  With d(g) = g it is gradient descent's, and wants gradient descent's learning
  rates: at those of Adam it hardly moves. With Adam as d it is the adaptive
  form that the authors' reinforcement learning uses.

  Deviations. The maximum is over what one transformation is given, which under
  `injection.grouped` is the encoder or the head, not both. U and its maximum
  have the same bias, 1 - decay^t, which cancels; the authors' code corrects U
  alone, which drives the sigmoid to its ends in the first updates. Where no
  utility is positive, dividing by the maximum would turn their order round: the
  largest magnitude then stands in.

  The key comes of the bits of the parameters, since an optax optimizer is given
  none: it is another one for each seed, group and draw.

  Args:
    decay: of the utility, called beta_u in the paper.
    noise: standard deviation of the perturbation.
    direction: d, such as `optax.scale_by_adam()`; the gradient if None.
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
  """The largest utility, or what stands in where none is positive."""
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
  bits = jnp.zeros([], jnp.uint32)
  for leaf in jax.tree.leaves(params):
    words = jax.lax.bitcast_convert_type(
      jnp.asarray(leaf, jnp.float32), jnp.uint32
    )
    bits += jnp.sum(words, dtype=jnp.uint32)  # Wraps around.
  return jax.random.PRNGKey(bits)
