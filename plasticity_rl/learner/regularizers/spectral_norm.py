"""The largest singular value of a layer's weights."""

import jax
import jax.numpy as jnp

from plasticity_rl.learner.regularizers.matrix import as_matrix


def spectral_norm(w: jax.Array, iterations: int = 10) -> jax.Array:
  """sigma_max(W)^2 / 2 by power iteration.

  Yoshida and Miyato, "Spectral Norm Regularization for Improving the
  Generalizability of Deep Learning", 2017, who apply it to every layer, biases
  left out. The gradient is sigma u v^T, with the singular vectors held fixed.

  They carry u from update to update with one iteration each; here it starts
  from the same fixed vector each time and iterates more often, so that the
  penalty is a function of the weights alone and nothing is to be saved.

  Args:
    w: a layer's weights, as in `as_matrix`.
    iterations: of W^T W on the vector.
  """
  matrix = as_matrix(w)
  # Of an optimum, the gradient through its own search is zero.
  fixed = jax.lax.stop_gradient(matrix)

  def iterate(_, v):
    return _unit(fixed.T @ (fixed @ v))

  start = jax.random.normal(jax.random.PRNGKey(0), matrix.shape[1:])
  v = jax.lax.fori_loop(0, iterations, iterate, _unit(start))
  u = _unit(fixed @ v)
  return 0.5 * jnp.square(u @ matrix @ v)


def _unit(x):
  return x / jnp.maximum(jnp.linalg.norm(x), 1e-12)
