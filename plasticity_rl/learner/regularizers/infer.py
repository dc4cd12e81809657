"""Initial feature regularisation (InFeR)."""

import chex
import jax

from plasticity_rl.losses import feature_norm
from plasticity_rl.types import NetworkOutput

# The key of the outputs of the auxiliary heads in `NetworkOutput.layers`.
INFER = 'infer'


def infer(
  output: NetworkOutput, initial_output: NetworkOutput, scale: float
) -> jax.Array:
  """Mean over the batch of sum_i (g_i(x; theta) - beta g_i(x; theta_0))^2.

  Lyle, Rowland and Dabney, "Understanding and Preventing Capacity Loss in
  RL", 2022 (InFeR), with 10 heads, beta = 100 and a coefficient of 0.1 on
  Atari. The g_i are trainable linear heads on the output of the encoder, and
  theta_0 are the initial parameters. In the paper, the heads are on the
  penultimate layer. This is the output of the encoder if `network.split` is -1.

  Args:
    output: output of the network, with `[B, k]` in `layers['infer']`.
    initial_output: output of the network with its initial parameters.
    scale: beta.

  Returns:
    The penalty, `[]`.
  """
  outputs, initial = output.layers[INFER], initial_output.layers[INFER]
  chex.assert_rank(outputs, 2)
  chex.assert_equal_shape([outputs, initial])
  return feature_norm(outputs - scale * jax.lax.stop_gradient(initial))
