"""Penalties on the singular values of a layer's weights."""

import jax
import jax.numpy as jnp


def as_matrix(w: jax.Array) -> jax.Array:
  """A layer's weights as W, `[outputs, inputs]`, which multiplies a column.

  `w` is `[inputs, outputs]` of a dense layer, or `[height, width, channels,
  filters]` of a convolution, whose rows are then flattened filters.
  """
  return w.reshape(-1, w.shape[-1]).T


def parseval(w: jax.Array, scale: float = 2.0) -> jax.Array:
  """||W W^T - s I||_F^2, zero where rows are orthogonal with norm sqrt(s).

  Chung et al., "Parseval Regularization for Continual RL", 2024, who apply it
  to every layer but the last, s = 2. A row of W holds the incoming weights of
  a unit. With more units than inputs it cannot become zero.
  """
  matrix = as_matrix(w)
  gram = matrix @ matrix.T
  return jnp.sum(jnp.square(gram - scale * jnp.eye(gram.shape[0])))


def spectral_norm(w: jax.Array, iterations: int = 10) -> jax.Array:
  """sigma_max(W)^2 / 2 by power iteration.

  Yoshida and Miyato, "Spectral Norm Regularization for Improving the
  Generalizability of Deep Learning", 2017, who apply it to every layer, biases
  left out. The gradient is sigma u v^T, with the singular vectors held fixed.

  They carry u from update to update with one iteration each; here it starts
  from the same fixed vector each time and iterates more often, so that the
  penalty is a function of the weights alone and nothing is to be saved.
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
