"""Four ranks of features that the literature confuses.

All are of the features Phi of a layer, `[B, F]`, with singular values
s_1 >= s_2 >= ..., which the number B of examples bounds: values compare only
at the same B. A layer of zeros has rank 0 in each; all but `feature_rank` stay
when Phi is scaled.

Functions that end in `_of` take the singular values, so that one decomposition
does for all four.
"""

import chex
import jax
import jax.numpy as jnp

from plasticity_rl import checks


def singular_values(features: jax.Array) -> jax.Array:
  """Of features `[B, ...]` as `[B, F]`: descending, `[min(B, F)]`."""
  return jnp.linalg.svd(
    features.reshape(features.shape[0], -1), compute_uv=False
  )


def srank_of(s: jax.Array, delta: float = 0.01) -> jax.Array:
  """min k with sum_{i<=k} s_i / sum_i s_i >= 1 - delta, of descending `s`."""
  chex.assert_rank(s, 1)
  cumulative = jnp.cumsum(s)
  total = cumulative[-1]
  k = 1 + jnp.sum(cumulative < (1 - delta) * total)
  return jnp.where(total > 0, k, 0).astype(jnp.float32)


def effective_rank_of(s: jax.Array) -> jax.Array:
  """exp(-sum_i p_i log p_i) with p_i = s_i / sum_j s_j."""
  chex.assert_rank(s, 1)
  total = s.sum()
  p = s / jnp.where(total > 0, total, 1)
  entropy = -jnp.sum(p * jnp.log(jnp.where(p > 0, p, 1)))
  return jnp.where(total > 0, jnp.exp(entropy), 0)


def feature_rank_of(
  s: jax.Array, examples: int, eps: float = 0.01
) -> jax.Array:
  """Number of s_i / sqrt(examples) above `eps`."""
  chex.assert_rank(s, 1)
  scale = examples**0.5
  return jnp.sum(s / scale > eps).astype(jnp.float32)


def stable_rank_of(s: jax.Array) -> jax.Array:
  """sum_i s_i^2 / s_1^2, of descending `s`."""
  chex.assert_rank(s, 1)
  largest = jnp.where(s[0] > 0, s[0], 1)
  return jnp.sum(jnp.square(s / largest))


def _checked(features: jax.Array) -> jax.Array:
  """Singular values of what a person handed in."""
  features = checks.features(features)
  if not jnp.issubdtype(features.dtype, jnp.floating):
    features = features.astype(jnp.float32)
  return singular_values(features)


def srank(features: jax.Array, delta: float = 0.01) -> jax.Array:
  """srank_delta(Phi) = min k with sum_{i<=k} s_i / sum_i s_i >= 1 - delta.

  Kumar et al., "Implicit Under-Parameterization Inhibits Data-Efficient Deep
  RL", 2021, who call it the effective rank. Some libraries call it the stable
  rank, some papers the feature rank.

  Args:
    features: Phi, `[B, F]`; `[B, ...]` is flattened to it.
    delta: the share of the sum that may be left out.

  Returns:
    The rank, float32 `[]`.

  Raises:
    UserError: features that are no batch, empty or not finite, or a delta
      outside of [0, 1).

  Example:
    >>> import numpy as np
    >>> import plasticity_rl as pl
    >>> features = np.diag([90.0, 8.5, 1.0, 0.5])
    >>> float(pl.measures.srank(features))
    3.0
    >>> float(pl.measures.srank(features, delta=0.2))
    1.0
  """
  checks.share('delta', delta)
  return srank_of(_checked(features), delta)


def effective_rank(features: jax.Array) -> jax.Array:
  """exp(-sum_i p_i log p_i) with p_i = s_i / sum_j s_j.

  Roy & Vetterli, "The Effective Rank: A Measure of Effective Dimensionality",
  2007. Not Kumar's, which is `srank`.

  Args:
    features: Phi, `[B, F]`; `[B, ...]` is flattened to it.

  Returns:
    The rank, `[]`, a real number between 1 and min(B, F), or 0.

  Raises:
    UserError: features that are no batch, empty or not finite.

  Example:
    >>> import numpy as np
    >>> import plasticity_rl as pl
    >>> features = np.diag([4.0, 2.0, 2.0])
    >>> print(f'{pl.measures.effective_rank(features):.3f}')
    2.828
  """
  return effective_rank_of(_checked(features))


def feature_rank(features: jax.Array, eps: float = 0.01) -> jax.Array:
  """Number of singular values of Phi / sqrt(B) above `eps`.

  Lyle et al., "Understanding and Preventing Capacity Loss in Reinforcement
  Learning", 2022, with their threshold. They take 5000 examples.

  Args:
    features: Phi, `[B, F]`; `[B, ...]` is flattened to it.
    eps: the threshold, not negative.

  Returns:
    The rank, float32 `[]`.

  Raises:
    UserError: features that are no batch, empty or not finite, or a negative
      eps.

  Example:
    >>> import numpy as np
    >>> import plasticity_rl as pl
    >>> features = np.diag([4.0, 2.0, 0.03, 0.01])
    >>> float(pl.measures.feature_rank(features))
    3.0
  """
  checks.at_least('eps', eps, 0)
  return feature_rank_of(_checked(features), len(features), eps)


def stable_rank(features: jax.Array) -> jax.Array:
  """||Phi||_F^2 / ||Phi||_2^2 = sum_i s_i^2 / s_1^2.

  Rudelson & Vershynin, "Sampling from Large Matrices", 2007 (there the
  numerical rank). Not what some libraries give under this name: that is
  `srank`.

  Args:
    features: Phi, `[B, F]`; `[B, ...]` is flattened to it.

  Returns:
    The rank, `[]`, a real number between 1 and min(B, F), or 0.

  Raises:
    UserError: features that are no batch, empty or not finite.

  Example:
    >>> import numpy as np
    >>> import plasticity_rl as pl
    >>> float(pl.measures.stable_rank(np.diag([4.0, 2.0, 2.0])))
    1.5
  """
  return stable_rank_of(_checked(features))
