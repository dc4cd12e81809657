"""Muon: momentum, orthogonalised."""

import math
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import optax

from plasticity_rl.types import Params

_WEIGHT = 'w'  # The key of a layer's weights.
_SIZE = 0.2  # About the root mean square of Adam's updates.


class ScaleByMuonState(NamedTuple):
  """State of `scale_by_muon` for weights.

  Attributes:
    mu: mean gradients.
  """

  mu: Any


def scale_by_muon(
  momentum: float = 0.95, other: optax.GradientTransformation | None = None
) -> optax.GradientTransformation:
  """Momentum whose singular values are close to one; Adam for other leaves.

      M <- momentum M + (1 - momentum) G
      N = momentum M + (1 - momentum) G
      update = 0.2 sqrt(max(m, n)) orthogonalize(N),    N an m x n matrix

  Jordan et al., "Muon: An Optimizer for Hidden Layers in Neural Networks",
  2024. The factor is that of Liu et al., "Muon is Scalable for LLM Training",
  2025: updates are then as large as Adam's, and one learning rate serves both.
  Of a convolution, G is the flattened filters, `[height width inputs, units]`;
  of an ensemble, each member's weights are a matrix. Biases and the parameters
  of normalisation are `other`'s.

  Deviation: the authors leave the first and the last layer to Adam. Here the
  weights of all layers have Muon, so that an update does not depend on where a
  network is split.

  Args:
    momentum: decay of M, which starts at zero.
    other: for all leaves but weights; `optax.scale_by_adam()` if None.

  Returns:
    The optax transformation.
  """

  def init(params: Params) -> ScaleByMuonState:
    return ScaleByMuonState(optax.tree.zeros_like(params))

  def update(gradients, state, params=None):
    del params
    chex.assert_trees_all_equal_shapes(gradients, state.mu)
    mu = optax.tree.update_moment(gradients, state.mu, momentum, 1)
    ahead = optax.tree.update_moment(gradients, mu, momentum, 1)
    return jax.tree.map(_of_weights, ahead), ScaleByMuonState(mu)

  return optax.chain(
    optax.masked(optax.GradientTransformation(init, update), _weights_mask),
    optax.masked(other or optax.scale_by_adam(), _others_mask),
  )


def orthogonalize(matrix: jax.Array, iterations: int = 5) -> jax.Array:
  """The matrix with singular values between about 0.7 and 1.2.

      X <- X / ||X||_F,    A = X X^T
      X <- 3.4445 X - (4.7750 A - 2.0315 A^2) X,    `iterations` times

  Jordan et al. (2024). The polynomial is as steep at zero as it can be, rather
  than exact at one: singular values from 0.005 on reach that interval in five
  iterations. Singular vectors stay.

  Args:
    matrix: `[m, n]`; zeros stay zeros.
    iterations: of the polynomial.

  Returns:
    `[m, n]`.
  """
  is_tall = matrix.shape[0] > matrix.shape[1]
  x = matrix.T if is_tall else matrix
  x = x / jnp.maximum(jnp.linalg.norm(x), 1e-30)
  for _ in range(iterations):
    gram = x @ x.T
    x = 3.4445 * x - (4.7750 * gram - 2.0315 * gram @ gram) @ x
  return x.T if is_tall else x


def _of_weights(w: jax.Array) -> jax.Array:
  """The update of a layer's weights, or of those of an ensemble's members."""
  # A convolution's have four axes, a dense layer's two.
  axes = 4 if w.ndim >= 4 else 2
  rows = math.prod(w.shape[-axes:-1])
  matrices = w.reshape(-1, rows, w.shape[-1])
  size = _SIZE * math.sqrt(max(matrices.shape[1:]))
  return size * jax.vmap(orthogonalize)(matrices).reshape(w.shape)


def _weights_mask(tree: Params) -> Any:
  return jax.tree_util.tree_map_with_path(
    lambda path, _: [getattr(k, 'key', 0) for k in path[-1:]] == [_WEIGHT],
    tree,
  )


def _others_mask(tree: Params) -> Any:
  return jax.tree.map(lambda is_weight: not is_weight, _weights_mask(tree))
