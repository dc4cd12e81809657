"""FIRE: weights become the nearest isometries (Han et al., 2026)."""

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp

from plasticity_rl import checks
from plasticity_rl.layers import Layer
from plasticity_rl.layers import get_layer
from plasticity_rl.layers import put_layer
from plasticity_rl.methods import network
from plasticity_rl.split import replace_trainable
from plasticity_rl.split import trainable
from plasticity_rl.types import NetState
from plasticity_rl.types import Params
from plasticity_rl.weight_norm import effective_weight
from plasticity_rl.weight_norm import norms


def check_options(iterations: int) -> None:
  """Refuses options that `fire` does not take.

  Raises:
    UserError: an option is out of its range.
  """
  checks.count('fire: iterations', iterations, 1)


def fire(
  params: Params,
  layers: Sequence[Layer],
  *,
  iterations: int = 10,
  target: Params | None = None,
) -> NetState:
  """W <- s polar(W): each layer's weights become the nearest isometry, scaled.

      polar(W) = U V^T of W = U S V^T,   s = sqrt(d_out / d_in) / (height width)

  is the matrix with orthonormal columns (rows, where there are more columns)
  that is nearest to W in the Frobenius norm. Of a convolution it is taken at
  each position of the kernel by itself, and s is divided by their number; of a
  dense layer that is 1. Nothing is drawn.

  It is approximated by Newton-Schulz: X_0 = W / ||W||_F, and `iterations` of
  X <- 1.5 X - 0.5 X X^T X, which leaves U and V and brings singular values to
  1. After 10, those of W that were above 0.036 ||W||_F are within 1 % of 1, and
  smaller ones have grown 58 times at most: a direction that W has nearly lost
  is not brought back. 20 reach down to 0.0006 ||W||_F. Zeros stay zeros.

  Biases, scales and offsets of layer normalisation stay. A layer with weight
  normalisation multiplies by the isometry afterwards: its `g` becomes the norm
  of each of its units.

  Han et al., "FIRE: Frobenius-Isometry Reinitialization for Balancing the
  Stability-Plasticity Tradeoff", 2026. We could read what others wrote of the
  paper and its published code, of which iterations, scale, convolutions and
  what becomes of the target are. As most weights change, start the optimizer
  anew by its own `init` (their SAC does), or keep its state (their DQN).

  Args:
    params: of the network, nested dicts of arrays, perhaps injected: then what
      learns changes, and frozen heads stay.
    layers: those to change, as `declare_layers` makes them; all or some.
    iterations: of Newton-Schulz, at least 1.
    target: parameters of a target network, whose weights become those of
      `params`: where W is nearly singular, two that hardly differ may have
      isometries that do.

  Returns:
    A `types.NetState` of `params` and `target`, None where that was not given.

  Raises:
    UserError: layers or a target that do not fit the parameters, or fewer than
      one iteration.

  Example:
    >>> import numpy as np
    >>> import plasticity_rl as pl
    >>> params = {'first': {'w': np.diag([3.0, 2.0, 1.0])}}
    >>> layers = pl.declare_layers({'first': ['first']}, bias=None)
    >>> pl.fire(params, layers).params['first']['w'].round(2).tolist()
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
  """
  check_options(iterations)
  network.check_state(NetState(params, target, None, None))
  plain = trainable(params)
  network.check_weights(plain, layers)
  learns_of_target = None if target is None else trainable(target)
  for layer in layers:
    own = get_layer(plain, layer)
    w = jnp.asarray(effective_weight(own, layer.weight))
    w = (scale_of(w) * polar(w, iterations)).astype(w.dtype)
    new = {layer.weight: w} | ({'g': norms(w)} if 'g' in own else {})
    plain = put_layer(plain, layer, type(own)({**own, **new}))
    if learns_of_target is not None:
      own = get_layer(learns_of_target, layer)
      learns_of_target = put_layer(
        learns_of_target, layer, type(own)({**own, **new})
      )
  return NetState(
    params=replace_trainable(params, plain),
    target=(
      None if target is None else replace_trainable(target, learns_of_target)
    ),
    opt_state=None,
    initial=None,
  )


def scale_of(w: jax.Array) -> float:
  """sqrt(units / inputs) / positions of the kernel, `[..., inputs, units]`."""
  *kernel, inputs, outputs = w.shape
  return math.sqrt(outputs / inputs) / math.prod(kernel)


def polar(w: jax.Array, iterations: int) -> jax.Array:
  """U V^T of each matrix U S V^T of `w`, `[..., rows, columns]`, about.

  A singular value s of a matrix of Frobenius norm n becomes f(...f(s / n)),
  f(x) = 1.5 x - 0.5 x^3 as often as there are iterations.
  """
  x = w.astype(jnp.promote_types(w.dtype, jnp.float32))
  norm = jnp.linalg.norm(x, axis=(-2, -1), keepdims=True)
  x = x / jnp.where(norm > 0, norm, 1)
  is_wide = x.shape[-1] > x.shape[-2]
  if is_wide:  # The product of the short side by itself is smaller.
    x = x.swapaxes(-2, -1)

  def step(_: int, x: jax.Array) -> jax.Array:
    # In full precision, of which some accelerators make less by default.
    gram = jnp.matmul(x.swapaxes(-2, -1), x, precision='highest')
    return 1.5 * x - 0.5 * jnp.matmul(x, gram, precision='highest')

  x = jax.lax.fori_loop(0, iterations, step, x)
  return x.swapaxes(-2, -1) if is_wide else x
