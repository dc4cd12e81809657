"""How large the weights are, and how far they have come.

Parameters are any tree of arrays: one layer's, or a whole network's. Of an
injected network they may be the whole tree: what counts is the part that
learns (`split.trainable`).

Functions that end in `_of` take trees as they are and check nothing.
"""

import jax
import jax.numpy as jnp
import optax

from plasticity_rl import checks
from plasticity_rl.errors import UserError
from plasticity_rl.types import Params


def norm_of(params: Params) -> jax.Array:
  """||theta||_2 over all leaves."""
  return optax.tree.norm(params)


def distance_of(a: Params, b: Params) -> jax.Array:
  """||a - b||_2 over all leaves."""
  return optax.tree.norm(optax.tree.sub(a, b))


def growth_of(now: Params, initial: Params) -> jax.Array:
  """||theta||_2 / ||theta_0||_2."""
  return optax.tree.norm(now) / optax.tree.norm(initial)


def ratio_of(new: Params, old: Params) -> jax.Array:
  """||theta' - theta||_2 / ||theta||_2."""
  return distance_of(new, old) / optax.tree.norm(old)


def isometry_deviation_of(weights: jax.Array, scale: float = 1.0) -> jax.Array:
  """||W^T W - I||_F^2 of W / scale, summed over positions of a kernel."""
  matrices = weights / scale
  if weights.shape[-1] > weights.shape[-2]:
    matrices = matrices.swapaxes(-2, -1)
  gram = jnp.matmul(matrices.swapaxes(-2, -1), matrices, precision='highest')
  return jnp.sum(jnp.square(gram - jnp.eye(gram.shape[-1])))


def weight_norm(params: Params) -> jax.Array:
  """||theta||_2 of all weights and biases.

  Its growth goes with a loss of plasticity (Lyle et al., "Disentangling the
  Causes of Plasticity Loss in Neural Networks", 2024).

  Args:
    params: theta, a tree of arrays.

  Returns:
    The norm, `[]`.

  Raises:
    UserError: a tree without arrays, or one that is empty or not finite.

  Example:
    >>> import numpy as np
    >>> import plasticity_rl as pl
    >>> params = {'w': np.array([[2.0, 4.0]]), 'b': np.array([4.0])}
    >>> float(pl.measures.weight_norm(params))
    6.0
  """
  return norm_of(*checks.learning(params=params))


def weight_growth(params: Params, initial: Params) -> jax.Array:
  """||theta||_2 / ||theta_0||_2, of all weights and biases.

  Lyle et al., "Disentangling the Causes of Plasticity Loss in Neural
  Networks", 2024, look at the norm over time. Infinite where theta_0 is zero.

  Args:
    params: theta, a tree of arrays.
    initial: theta_0, the same as drawn.

  Returns:
    The ratio, `[]`.

  Raises:
    UserError: a tree without arrays, an array that is empty or not finite, or
      trees that differ in structure or shapes.

  Example:
    >>> import numpy as np
    >>> import plasticity_rl as pl
    >>> initial = {'w': np.array([[3.0, 4.0]])}
    >>> params = {'w': np.array([[6.0, 8.0]])}
    >>> float(pl.measures.weight_growth(params, initial))
    2.0
  """
  return growth_of(*checks.learning(params=params, initial=initial))


def distance_from_init(params: Params, initial: Params) -> jax.Array:
  """||theta - theta_0||_2, of all weights and biases.

  What Kumar et al., "Maintaining Plasticity in Continual Learning via
  Regenerative Regularization", 2023, keep small; see `losses.l2_init`.

  Args:
    params: theta, a tree of arrays.
    initial: theta_0, the same as drawn.

  Returns:
    The distance, `[]`.

  Raises:
    UserError: a tree without arrays, an array that is empty or not finite, or
      trees that differ in structure or shapes.

  Example:
    >>> import numpy as np
    >>> import plasticity_rl as pl
    >>> initial = {'w': np.array([[3.0, 4.0]])}
    >>> params = {'w': np.array([[6.0, 8.0]])}
    >>> float(pl.measures.distance_from_init(params, initial))
    5.0
  """
  return distance_of(*checks.learning(params=params, initial=initial))


def update_ratio(updated: Params, params: Params) -> jax.Array:
  """||theta' - theta||_2 / ||theta||_2, of all weights and biases.

  How far one update goes, for the size of the weights: where they have grown,
  the same step changes less (Lyle et al., "Disentangling the Causes of
  Plasticity Loss in Neural Networks", 2024).

  Args:
    updated: theta', after the update, a tree of arrays.
    params: theta, the same before it.

  Returns:
    The ratio, `[]`.

  Raises:
    UserError: a tree without arrays, an array that is empty or not finite, or
      trees that differ in structure or shapes.

  Example:
    >>> import numpy as np
    >>> import plasticity_rl as pl
    >>> params = {'w': np.array([[6.0, 8.0]])}
    >>> updated = {'w': np.array([[6.0, 13.0]])}
    >>> float(pl.measures.update_ratio(updated, params))
    0.5
  """
  return ratio_of(*checks.learning(updated=updated, params=params))


def deviation_from_isometry(
  weights: jax.Array, scale: float = 1.0
) -> jax.Array:
  """DfI: ||W^T W - I||_F^2, zero where columns are orthonormal.

  Of a wide matrix rows are meant, W W^T: it cannot have orthonormal columns. Of
  a convolution it is summed over the positions of the kernel, each a matrix.

  Han et al., "FIRE: Frobenius-Isometry Reinitialization for Balancing the
  Stability-Plasticity Tradeoff", 2026, of which we could read what others
  wrote: there it bounds the Hessian's norm, the rank of features and how
  dormant units are. `losses.parseval` is about the same of rows, as a penalty.

  Args:
    weights: W of a layer, without its bias, `[inputs, units]` or
      `[..., inputs, units]`.
    scale: what W is divided by first, positive. `fire` leaves isometries times
      a scale.

  Returns:
    The deviation, `[]`.

  Raises:
    UserError: weights that are empty, not finite or a vector (a bias?), or a
      scale that is not positive.

  Example:
    >>> import numpy as np
    >>> import plasticity_rl as pl
    >>> float(pl.measures.deviation_from_isometry(np.eye(3)[:2]))
    0.0
    >>> float(pl.measures.deviation_from_isometry(np.diag([1.0, 2.0])))
    9.0
    >>> float(pl.measures.deviation_from_isometry(2 * np.eye(3), scale=2.0))
    0.0
  """
  checks.number('scale', scale, 0)
  if not scale:
    raise UserError('scale must be above 0: 0')
  found = checks.numbers('weights', weights)
  if found.ndim < 2:
    raise UserError(
      'weights: expected a matrix [..., inputs, units], found shape'
      f' {found.shape}'
    )
  return isometry_deviation_of(found, scale)
