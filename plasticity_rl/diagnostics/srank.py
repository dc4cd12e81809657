"""Effective rank of features, as Kumar et al. (2021) define it."""

import jax
import jax.numpy as jnp

from plasticity_rl.diagnostics.base import Probe


def srank_of(features: jax.Array, delta: float = 0.01) -> jax.Array:
  """srank_delta(Phi) = min k with sum_{i<=k} s_i / sum_i s_i >= 1 - delta.

  s are the singular values of Phi, `[B, F]`, in descending order ("Implicit
  Under-Parameterization Inhibits Data-Efficient Deep RL", 2021). Some
  libraries call this the stable rank, which is ||Phi||_F^2 / ||Phi||_2^2.

  Returns:
    A float scalar; 0 where all features are zero.
  """
  s = jnp.linalg.svd(features, compute_uv=False)
  cumulative = jnp.cumsum(s)
  total = cumulative[-1]
  k = 1 + jnp.sum(cumulative < (1 - delta) * total)
  return jnp.where(total > 0, k, 0).astype(jnp.float32)


def srank(probe: Probe, delta: float = 0.01) -> dict[str, jax.Array]:
  """srank_delta of each hidden dense layer and of the encoder's output.

  A convolution inside the encoder is left out: its flattened features are
  large, and nothing but the next layer reads them.
  """
  hidden = [layer for layer in probe.net.layers if layer.hidden]
  ends_encoder = {
      a.name
      for a, b in zip(probe.net.layers, probe.net.layers[1:], strict=False)
      if a.path[0] == 'encoder' and b.path[0] == 'head'
  }
  values = {}
  for layer in hidden:
    features = probe.output.layers[layer.name]
    if features.ndim == 2 or layer.name in ends_encoder:
      values[layer.name] = srank_of(
          features.reshape(features.shape[0], -1), delta
      )
  return values
