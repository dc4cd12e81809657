"""Networks that compute in bfloat16, with parameters in float32."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import jmp

from plasticity_rl.split import SplitNetwork

POLICIES = {
  'float32': None,
  'bfloat16': jmp.Policy(
    param_dtype=jnp.float32,
    compute_dtype=jnp.bfloat16,
    output_dtype=jnp.float32,
  ),
}


def compute_in(precision: str, network: SplitNetwork) -> SplitNetwork:
  """Returns the network with products and activations in `precision`.

  Parameters, gradients, targets and optimizer states keep their dtype. Features
  and outputs are returned as float32 (their values are rounded to bfloat16,
  unless the compiler keeps more digits). So sums of heads, losses and
  diagnostics are computed in float32.

  Args:
    precision: a name of `POLICIES`; 'float32' returns the network itself.
    network: a network whose layers compute in the dtype of their weights, as
      those of `networks.layers` do.
  """
  policy = POLICIES[precision]
  if policy is None:
    return network

  def rounded(apply: Callable[..., Any]) -> Callable[..., Any]:
    return lambda params, x: policy.cast_to_output(
      apply(*policy.cast_to_compute((params, x)))
    )

  return dataclasses.replace(
    network,
    encoder_apply=rounded(network.encoder_apply),
    head_apply=rounded(network.head_apply),
  )
