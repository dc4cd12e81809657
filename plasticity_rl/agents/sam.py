"""Sharpness-aware minimisation (SAM)."""

import jax
import jax.numpy as jnp
import optax

from plasticity_rl import injection
from plasticity_rl.types import Params


def sam(params: Params, gradients: Params, radius: float) -> Params:
  """theta + rho g / ||g||_2, where SAM takes the gradient of its update.

  Foret et al., "Sharpness-Aware Minimization for Efficiently Improving
  Generalization", 2021: to first order, the parameters of the largest loss at
  a distance of rho. The gradient there, of the same loss on the same batch,
  is given to the optimizer, any of `optimizer.name`; it costs a second forward
  and backward pass. Losses that are reported are those at theta. The norm is
  over all that learns in a network; frozen heads stay where they are.

  Args:
    params: theta, perhaps injected.
    gradients: g, the gradients of the mean loss over the whole batch, with its
      penalty.
    radius: rho; the authors take 0.05.

  Returns:
    The parameters at that distance; where all gradients are zero, theta.
  """
  learns = injection.trainable_mask(params)
  gradients = jax.tree.map(
    lambda one, g: g if one else jnp.zeros_like(g), learns, gradients
  )
  norm = optax.tree.norm(gradients)
  factor = radius / jnp.where(norm > 0, norm, 1)
  return jax.tree.map(lambda p, g: p + factor * g, params, gradients)
