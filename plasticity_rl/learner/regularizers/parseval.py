"""Weights of a layer towards orthogonal rows."""

import jax
import jax.numpy as jnp

from plasticity_rl.learner.regularizers.matrix import as_matrix


def parseval(w: jax.Array, scale: float = 2.0) -> jax.Array:
  """||W W^T - s I||_F^2, zero where rows are orthogonal with norm sqrt(s).

  Chung et al., "Parseval Regularization for Continual RL", 2024, who apply it
  to every layer but the last, s = 2. A row of W holds the incoming weights of
  a unit. With more units than inputs it cannot become zero.

  Args:
    w: a layer's weights, as in `as_matrix`.
    scale: s.
  """
  matrix = as_matrix(w)
  gram = matrix @ matrix.T
  return jnp.sum(jnp.square(gram - scale * jnp.eye(gram.shape[0])))
