"""The tangent kernel of a network on some examples.

    K_ij = sum_a <df_a(x_i)/dtheta, df_a(x_j)/dtheta>,

f_a the outputs and theta the parameters, `[n, n]`: how much a step on one
example moves the outputs on another. Jacot et al., "Neural Tangent Kernel:
Convergence and Generalization in Neural Networks", 2018; this is the empirical
one, of a network as it is, summed over outputs.

Functions that end in `_of` take its eigenvalues.
"""

from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np

from plasticity_rl import checks
from plasticity_rl.errors import UserError
from plasticity_rl.measures import ranks


def gram(gradients: Any) -> jax.Array:
  """<g_i, g_j> of a tree of arrays `[n, ...]`, `[n, n]`."""
  rows = [g.reshape(g.shape[0], -1) for g in jax.tree.leaves(gradients)]
  return jnp.asarray(sum(jnp.matmul(g, g.T, precision='highest') for g in rows))


def eigenvalues(kernel: jax.Array) -> jax.Array:
  """Descending and not negative, `[n]`."""
  return jnp.maximum(jnp.linalg.eigvalsh(kernel)[::-1], 0)


def condition_of(values: jax.Array) -> jax.Array:
  """Largest over smallest of descending `values`, at most 1 / (n eps)."""
  chex.assert_rank(values, 1)
  # What is smaller is rounding.
  floor = values.size * np.finfo(values.dtype).eps * values[0]
  return values[0] / jnp.maximum(values[-1], floor)


def _checked(gradients: Any) -> jax.Array:
  """Eigenvalues for what a person handed in."""
  found = checks.tree('gradients', gradients)
  sizes = {jnp.shape(g)[:1] for g in jax.tree.leaves(found)}
  if len(sizes) != 1 or () in sizes:
    raise UserError(
      'gradients: expected arrays [n, ...] of as many examples each, found'
      f' {sorted(sizes)} of them'
    )
  return eigenvalues(gram(found))


def ntk_rank(gradients: Any, delta: float = 0.01) -> jax.Array:
  """Fewest eigenvalues of the tangent kernel that hold 1 - delta of its trace.

  Lyle et al., "Understanding Plasticity in Neural Networks", 2023, look at
  gradients of examples that collapse onto few directions; the rule for the rank
  is that of `srank`, of eigenvalues. At most n: values compare at the same n.

  Args:
    gradients: of the output of each of n examples by the parameters, `[n, ...]`
      or a tree of such; `[n, outputs, ...]` of several outputs, over which the
      kernel is summed.
    delta: the share of the trace that may be left out.

  Returns:
    The rank, float32 `[]`; 0 where there is no gradient.

  Raises:
    UserError: no gradients, different numbers of examples, values that are not
      finite, or a delta outside of [0, 1).

  Example:
    >>> import numpy as np
    >>> import plasticity_rl as pl
    >>> gradients = {'w': np.eye(4)[[0, 0, 1, 2]]}
    >>> float(pl.measures.ntk_rank(gradients))
    3.0
  """
  checks.share('delta', delta)
  return ranks.srank_of(_checked(gradients), delta)


def ntk_condition(gradients: Any) -> jax.Array:
  """Condition number of the tangent kernel: largest over smallest eigenvalue.

  Gradient descent fits some combinations of examples that many times faster
  than others. Eigenvalues below n eps times the largest are rounding, so that
  it is at most 1 / (n eps): 260,000 of 32 examples in float32.

  Args:
    gradients: as in `ntk_rank`.

  Returns:
    The number, `[]`; NaN where there is no gradient.

  Raises:
    UserError: no gradients, different numbers of examples, or values that are
      not finite.

  Example:
    >>> import numpy as np
    >>> import plasticity_rl as pl
    >>> round(float(pl.measures.ntk_condition(np.diag([3.0, 2.0, 1.0]))), 3)
    9.0
  """
  return condition_of(_checked(gradients))
