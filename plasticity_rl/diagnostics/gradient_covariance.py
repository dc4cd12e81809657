"""How alike the gradients of single examples are."""

import jax
import jax.numpy as jnp

from plasticity_rl.diagnostics.base import Probe
from plasticity_rl.measures.ranks import srank_of


def gradient_covariance(
  probe: Probe, examples: int = 32, delta: float = 0.01
) -> dict[str, jax.Array]:
  """Cosines between gradients of the first `examples` of the probe batch.

      C_ij = <g_i, g_j> / (||g_i|| ||g_j||),  g_i = gradient of example i's loss

  by all that learns, of `[n, n]`; Lyle et al., "Understanding Plasticity in
  Neural Networks", 2023. It takes n times the memory of the parameters. An
  example without any gradient counts as orthogonal to all.

  Args:
    probe: of the network.
    examples: n, or the probe batch where that is smaller.
    delta: share of the trace that the rank may leave out.

  Returns:
    'cosine', the mean of C off its diagonal: 1 where an update on one example
    is one on all (gradients collapsed onto a line), 0 where they are
    unrelated, below zero where they interfere. 'rank', the fewest eigenvalues
    of C that hold 1 - delta of its trace (a choice of ours: the paper shows
    the matrices).
  """
  examples = min(examples, jax.tree.leaves(probe.inputs)[0].shape[0])
  loss = probe.loss_on(examples)
  rows = jax.jacrev(lambda p: loss(probe.with_learning(p))[0])(probe.learns)
  gradients = jnp.concatenate(
    [g.reshape(examples, -1) for g in jax.tree.leaves(rows)], -1
  )
  norms = jnp.linalg.norm(gradients, axis=-1, keepdims=True)
  gradients = gradients / jnp.where(norms > 0, norms, 1)
  cosines = gradients @ gradients.T
  off_diagonal = cosines.sum() - jnp.trace(cosines)
  eigenvalues = jnp.linalg.eigvalsh(cosines)[::-1]
  return {
    'cosine': off_diagonal / (examples * (examples - 1)),
    'rank': srank_of(jnp.maximum(eigenvalues, 0), delta),
  }
