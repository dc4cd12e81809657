"""Penalties for the loss of any network, each a pure function to a scalar.

None has its coefficient: add `c * losses.l2_init(params, initial)` to the loss
of your own network before you take its gradient. Of an injected network, frozen
heads are left alone (`split.trainable`).

Agents of this package are trained on the same functions: `config.regularizer`.
"""

import jax
import jax.numpy as jnp

from plasticity_rl import checks
from plasticity_rl.errors import UserError
from plasticity_rl.types import Params

__all__ = ['feature_norm', 'l2', 'l2_init', 'parseval', 'spectral_norm']


def feature_norm(features: jax.Array) -> jax.Array:
  """Mean over the batch of ||phi(x)||^2, `[B, ...] -> []`.

  phi are features after their activation, flattened. The unit of length is a
  whole feature vector, so that wider layers are penalised more (as in the
  feature norms that Kumar et al., "DR3", 2022, and Moalla et al., "No
  Representation, No Trust", 2024, regularise).

  Args:
    features: phi on a batch, `[B, F]` or `[B, ..., F]`.

  Returns:
    The penalty, `[]`.

  Raises:
    UserError: features that are no batch, empty or not finite.

  Example:
    >>> import numpy as np
    >>> import plasticity_rl as pl
    >>> float(pl.losses.feature_norm(np.array([[3.0, 4.0], [0.0, 1.0]])))
    13.0
  """
  features = checks.features(features)
  return jnp.sum(jnp.square(features)) / features.shape[0]


def l2(params: Params) -> jax.Array:
  """||theta||^2 over all that learns, weights and biases.

  Not halved, as in Kumar et al. (2023), so that its coefficient compares with
  that of `l2_init`: the gradient is 2 theta, and a coefficient of c under
  plain gradient descent is a weight decay of 2 c.

  Args:
    params: parameters, any tree of arrays, perhaps injected.

  Returns:
    The penalty, `[]`.

  Raises:
    UserError: a tree without arrays, or an array that is empty or not finite.

  Example:
    >>> import numpy as np
    >>> import plasticity_rl as pl
    >>> params = {'w': np.array([[1.0, 2.0]]), 'b': np.array([3.0])}
    >>> float(pl.losses.l2(params))
    14.0
  """
  return _sum_of_squares(*checks.learning(params=params))


def l2_init(params: Params, initial: Params) -> jax.Array:
  """||theta - theta_0||^2 over all that learns, weights and biases.

  Kumar, Marklund and Van Roy, "Maintaining Plasticity in Continual Learning
  via Regenerative Regularization", 2023. theta_0 is what was drawn; of what is
  drawn again by an injection or a reset it is the new draw, so that both start
  without a penalty. (The paper has no such events.)

  Args:
    params: parameters, any tree of arrays, perhaps injected.
    initial: theta_0, as they were drawn.

  Returns:
    The penalty, `[]`.

  Raises:
    UserError: a tree without arrays, an array that is empty or not finite, or
      trees that differ in structure or shapes.

  Example:
    >>> import numpy as np
    >>> import plasticity_rl as pl
    >>> initial = {'w': np.array([[1.0, 2.0]])}
    >>> params = {'w': np.array([[1.5, 2.5]])}
    >>> float(pl.losses.l2_init(params, initial))
    0.5
  """
  params, initial = checks.learning(params=params, initial=initial)
  return _sum_of_squares(jax.tree.map(jnp.subtract, params, initial))


def parseval(weights: Params, scale: float = 2.0) -> jax.Array:
  """||W W^T - s I||_F^2, zero where rows are orthogonal with norm sqrt(s).

  Chung et al., "Parseval Regularization for Continual RL", 2024, who apply it
  to every layer but the last, s = 2. A row of W holds the incoming weights of
  a unit. With more units than inputs it cannot become zero.

  Args:
    weights: a layer's weights without its bias, as in `as_matrix`, or a tree
      of several layers', over which the penalty is summed.
    scale: s, not negative.

  Returns:
    The penalty, `[]`.

  Raises:
    UserError: no weights, weights of rank 1 (a bias?), empty or not finite
      ones, or a negative scale.

  Example:
    >>> import numpy as np
    >>> import plasticity_rl as pl
    >>> float(pl.losses.parseval(np.eye(3), scale=1.0))
    0.0
    >>> float(pl.losses.parseval({'first': np.eye(3), 'second': np.eye(2)}))
    5.0
  """
  checks.at_least('scale', scale, 0)

  def of(w: jax.Array) -> jax.Array:
    matrix = as_matrix(w)
    gram = matrix @ matrix.T
    return jnp.sum(jnp.square(gram - scale * jnp.eye(gram.shape[0])))

  return jnp.asarray(sum(of(w) for w in _matrices(weights)))


def spectral_norm(weights: Params, iterations: int = 10) -> jax.Array:
  """sigma_max(W)^2 / 2 by power iteration.

  Yoshida and Miyato, "Spectral Norm Regularization for Improving the
  Generalizability of Deep Learning", 2017, who apply it to every layer, biases
  left out. The gradient is sigma u v^T, with the singular vectors held fixed.

  They carry u from update to update with one iteration each; here it starts
  from the same fixed vector each time and iterates more often, so that the
  penalty is a function of the weights alone and nothing is to be saved.

  Args:
    weights: a layer's weights without its bias, as in `as_matrix`, or a tree
      of several layers', over which the penalty is summed.
    iterations: of W^T W on the vector.

  Returns:
    The penalty, `[]`.

  Raises:
    UserError: no weights, weights of rank 1 (a bias?), empty or not finite
      ones, or fewer than one iteration.

  Example:
    >>> import numpy as np
    >>> import plasticity_rl as pl
    >>> print(f'{pl.losses.spectral_norm(np.diag([4.0, 1.0])):.3f}')
    8.000
  """
  checks.at_least('iterations', iterations, 1)

  def of(w: jax.Array) -> jax.Array:
    matrix = as_matrix(w)
    # Of an optimum, the gradient through its own search is zero.
    fixed = jax.lax.stop_gradient(matrix)

    def iterate(_: jax.Array, v: jax.Array) -> jax.Array:
      return _unit(fixed.T @ (fixed @ v))

    start = jax.random.normal(jax.random.PRNGKey(0), matrix.shape[1:])
    v = jax.lax.fori_loop(0, iterations, iterate, _unit(start))
    u = _unit(fixed @ v)
    return 0.5 * jnp.square(u @ matrix @ v)

  return jnp.asarray(sum(of(w) for w in _matrices(weights)))


def as_matrix(w: jax.Array) -> jax.Array:
  """A layer's weights as W, `[outputs, inputs]`, which multiplies a column.

  `w` is `[inputs, outputs]` of a dense layer, or `[height, width, channels,
  filters]` of a convolution, whose rows are then flattened filters.
  """
  return w.reshape(-1, w.shape[-1]).T


def _matrices(weights: Params) -> list[jax.Array]:
  """The weights of a tree, none of them a bias."""
  (weights,) = checks.learning(weights=weights)
  leaves = jax.tree_util.tree_leaves_with_path(weights)
  for path, w in leaves:
    if w.ndim < 2:
      raise UserError(
        f'weights{jax.tree_util.keystr(path)}: expected [..., inputs, outputs],'
        f' found shape {w.shape}; leave biases out'
      )
  return [w for _, w in leaves]


def _sum_of_squares(tree: Params) -> jax.Array:
  return sum(
    (jnp.sum(jnp.square(x)) for x in jax.tree.leaves(tree)),
    start=jnp.zeros([]),
  )


def _unit(x: jax.Array) -> jax.Array:
  return x / jnp.maximum(jnp.linalg.norm(x), 1e-12)
