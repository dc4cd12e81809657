"""Residual blocks that all receive the first features: multi-skip heads."""

from collections.abc import Callable, Sequence

import jax

from plasticity_rl.networks.initializers import Initializer
from plasticity_rl.networks.layers import Dense
from plasticity_rl.networks.layers import Norms


def multi_skip(
  z: jax.Array,
  *,
  names: Sequence[str],
  units: tuple[int, int],
  activate: Callable[[jax.Array], jax.Array],
  norms: Norms,
  draw: Callable[[], Initializer],
) -> tuple[jax.Array, ...]:
  """x_0 = N(W_0 z),   x_l+1 = x_l + N(W_2 a(N(W_1 a(x_l)))) + x_0.

  Castanyer et al., "Stable Gradients for Stable Learning at Scale in Deep
  Reinforcement Learning", 2025. a is the activation, N layer normalisation if
  `network.layer_norm` says so, else nothing; W_1 and W_2 are as wide as x and
  differ from block to block; each layer has biases, too. A linear layer of x
  follows. So the first features reach every block, and the gradient reaches
  them from every block, without passing through others. We read the equation
  in their published code (`src/models/mlp.py`), not the paper.

  Units of W_1 are hidden units as those of other layers: W_2 alone reads them.
  The sums x_l are read by all later blocks, so that their features are not
  recycled.

  Deviations: with layer normalisation theirs normalises the network's outputs
  as well, ours no output. Weights are drawn by the network's initialiser
  (theirs: `initializer="orthogonal"`).

  Args:
    z: features, `[B, ...]`, flattened.
    names: of the Haiku modules of W_0, then of W_1 and W_2 of each block.
    units: width F of x, and units of W_1.
    activate: the activation of the network.
    norms: of all of these layers.
    draw: makes an initialiser.

  Returns:
    x_0, and for each block the features of the units of W_1 and x_l, `[B, F]`.
  """
  width, inner = units
  first, *rest = names
  found = [Dense(width, norms, first, draw())(z)]
  for one, two in zip(rest[::2], rest[1::2], strict=True):
    h = activate(Dense(inner, norms, one, draw())(activate(found[-1])))
    found += [h, found[-1] + Dense(width, norms, two, draw())(h) + found[0]]
  return tuple(found)
