"""The length of feature vectors."""

import jax
import jax.numpy as jnp


def feature_norm(features: jax.Array) -> jax.Array:
  """Mean over the batch of ||phi(x)||^2, `[B, ...] -> []`.

  phi are features after their activation, flattened. The unit of length is a
  whole feature vector, so that wider layers are penalised more (as in the
  feature norms that Kumar et al., "DR3", 2022, and Moalla et al., "No
  Representation, No Trust", 2024, regularise).
  """
  return jnp.sum(jnp.square(features)) / features.shape[0]
