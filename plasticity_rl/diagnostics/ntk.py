"""The tangent kernel on some of the probe batch: its rank and condition.

By one decomposition for both (`base.Probe.ntk_eigenvalues`).
"""

import jax

from plasticity_rl.diagnostics.base import Probe
from plasticity_rl.measures import kernels
from plasticity_rl.measures import ranks


def ntk_rank(
  probe: Probe, examples: int = 32, delta: float = 0.01
) -> dict[str, jax.Array]:
  """Fewest eigenvalues of the tangent kernel that hold 1 - delta of its trace.

      K_ij = sum_a <df_a(x_i)/dtheta, df_a(x_j)/dtheta>

  f_a the network's outputs (action values, logits, means and log standard
  deviations), by all that learns, on the first n examples of the probe batch:
  the empirical kernel, summed over outputs. No loss is in it, unlike in
  `gradient_covariance`, and no example counts less for a small error. It takes
  n times the memory of the parameters, and n backward passes of one example for
  each output.

  Args:
    probe: of the network.
    examples: n, or the probe batch where that is smaller.
    delta: share of the trace that may be left out.

  Returns:
    'rank', 0 where there is no gradient.
  """
  return {'rank': ranks.srank_of(probe.ntk_eigenvalues(examples), delta)}


def ntk_condition(probe: Probe, examples: int = 32) -> dict[str, jax.Array]:
  """Condition number of the tangent kernel: largest over smallest eigenvalue.

  Of the kernel of `ntk_rank`: how many times faster gradient descent fits some
  combinations of examples than others. Eigenvalues below n eps times the
  largest are rounding, so that it is at most 1 / (n eps), 260,000 of 32
  examples; where two examples are the same it is that.

  Args:
    probe: of the network.
    examples: n, or the probe batch where that is smaller.

  Returns:
    'condition', NaN where there is no gradient.
  """
  return {'condition': kernels.condition_of(probe.ntk_eigenvalues(examples))}
