"""Units of a layer, by the gradient that their incoming weights get.

A unit is an index of the last axis of the weights: a column `[inputs, units]`
of a dense layer, a channel `[height, width, inputs, units]` of a convolution.
"""

import jax
import jax.numpy as jnp

from plasticity_rl import checks
from plasticity_rl.errors import UserError


def gradient_scores(gradient: jax.Array) -> jax.Array:
  """G_i = mean |g_i| / (mean over units of mean |g|), `[..., U] -> [U]`.

  g_i is the gradient by the incoming weights of unit i. A layer without any
  gradient scores zero.
  """
  magnitude = jnp.abs(gradient).reshape(-1, gradient.shape[-1]).mean(0)
  mean = magnitude.mean()
  return jnp.where(mean > 0, magnitude / jnp.where(mean > 0, mean, 1), 0)


def is_inactive(gradient: jax.Array, tau: float = 0.01) -> jax.Array:
  """Whether each unit's score G_i is at most tau, bool `[U]`."""
  return gradient_scores(gradient) <= tau


def grama(gradient: jax.Array, tau: float = 0.01) -> jax.Array:
  """GraMa ratio: fraction of units whose weights get little gradient.

      G_i = E|g_i| / (1/U sum_j E|g_j|) <= tau

  g_i is the gradient of the mean loss by the incoming weights of unit i
  (without its bias), and E the mean over them. All units of a layer without
  any gradient count.

  Liu et al., "Measure Gradients, Not Activations! Enhancing Neuronal Activity
  in Deep Reinforcement Learning", 2025, and the code that they published. The
  text speaks of the gradient by the activation h_i on each example; the code,
  which this follows, takes that of the batch by the weights, which backward
  passes compute anyway.

  Args:
    gradient: of the loss by a layer's weights, `[inputs, units]` or
      `[..., inputs, units]`.
    tau: the threshold, not negative; 0.01 in the paper, 0 of its networks of
      tanh or sigmoid units.

  Returns:
    The fraction, float32 `[]`.

  Raises:
    UserError: a gradient that is empty, not finite or a vector (a bias's?), or
      a negative tau.

  Example:
    >>> import numpy as np
    >>> import plasticity_rl as pl
    >>> gradient = np.array([[1.0, 0, -2, 0.001], [-3.0, 0, 0, 0.001]])
    >>> float(pl.measures.grama(gradient))
    0.5
    >>> float(pl.measures.grama(gradient, tau=0.0))
    0.25
  """
  checks.at_least('tau', tau, 0)
  found = checks.numbers('gradient', gradient)
  if found.ndim < 2:
    raise UserError(
      'gradient: expected that by weights [..., inputs, units], found shape'
      f' {found.shape}'
    )
  return is_inactive(found, tau).astype(jnp.float32).mean()
