"""Initial feature regularisation."""

import chex
import jax

from plasticity_rl.losses import feature_norm
from plasticity_rl.types import NetworkOutput

INFER = 'infer'  # Of `NetworkOutput.layers`: outputs of the auxiliary heads.


def infer(
  output: NetworkOutput, initial_output: NetworkOutput, scale: float
) -> jax.Array:
  """Mean over the batch of sum_i (g_i(x; theta) - beta g_i(x; theta_0))^2.

  Lyle, Rowland and Dabney, "Understanding and Preventing Capacity Loss in
  RL", 2022 (InFeR), with 10 heads, beta = 100 and a coefficient of 0.1 on
  Atari. The g_i are linear heads on the encoder's output, learnt like it;
  theta_0 is what was drawn. The paper's heads are on the penultimate layer:
  that is the encoder's output where `network.split` is -1.

  Args:
    output: the network's, with `[B, k]` in `layers['infer']`.
    initial_output: the same of the network as it was drawn.
    scale: beta.
  """
  outputs, initial = output.layers[INFER], initial_output.layers[INFER]
  chex.assert_rank(outputs, 2)
  chex.assert_equal_shape([outputs, initial])
  return feature_norm(outputs - scale * jax.lax.stop_gradient(initial))
