"""The residual block of SimBa."""

from collections.abc import Callable

import jax

from plasticity_rl.networks import initializers
from plasticity_rl.networks.layers import Dense
from plasticity_rl.networks.layers import Norms

EXPANSION = 4  # Units of the inner layer for each of the block's features.


def residual_block(
  x: jax.Array,
  *,
  names: tuple[str, str],
  units: int,
  activate: Callable[[jax.Array], jax.Array],
  weight_norm: bool = False,
) -> tuple[jax.Array, jax.Array]:
  """x + W_2 relu(W_1 LN(x) + b_1) + b_2, the block of SimBa.

  Lee et al., "SimBa: Simplicity Bias for Scaling Up Parameters in Deep
  Reinforcement Learning", 2025. LN is layer normalisation with its own scale
  and offset, W_1 has 4 units for each feature of x, and both weights are drawn
  from He's normal distribution. A network of such blocks (`residual_blocks`)
  begins with a linear layer without an activation, and layer normalisation
  precedes its last layer, so that predictions do not grow with the sum of the
  blocks. The paper's agents also normalise observations by their running mean
  and variance (`environment.normalize_observations`), and decay weights
  (`adamw`, 1e-2). Its first and last layers are orthogonal
  (`initializer='orthogonal'`), with a gain of 1.

  The units of W_1 are hidden units as those of other layers: W_2 alone reads
  them. The sum x is read by all later blocks, so that its features are not
  recycled. LN's scale and offset belong to the layer that they feed: a reset
  of this layer resets them.

  Deviations: in the paper, an actor has one block of width 128 and a critic
  two of width 512; here all networks of an agent have the same width and
  number of blocks. The last layer normalisation belongs to the last layer, and
  so to the head.

  Args:
    x: features, `[B, F]`.
    names: of the Haiku modules of W_1 and W_2.
    units: of W_1.
    activate: the activation of the network; a ReLU in the paper.
    weight_norm: whether W_1 and W_2 have weight normalisation.

  Returns:
    The features of the units of W_1, and those of the block, `[B, F]`.
  """
  norms = Norms(weight=weight_norm, inputs=True)
  inner = Dense(units, norms, names[0], initializers.he_normal)
  outer = Dense(
    x.shape[-1],
    Norms(weight=weight_norm),
    names[1],
    initializers.he_normal,
  )
  h = activate(inner(x))
  return h, x + outer(h)
