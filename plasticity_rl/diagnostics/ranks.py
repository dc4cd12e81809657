"""Four ranks of features that the literature confuses.

All are of the features Phi of a layer, `[B, F]`, with singular values
s_1 >= s_2 >= ... on the probe batch, which bounds them: B examples show a rank
of at most B, so that values compare only at the same `probe_size`. The trap is
in the names:

- `srank`: fewest s_i that hold 1 - delta of their sum (Kumar 2021, who call it
  the effective rank; some libraries call it the stable rank, some papers the
  feature rank).
- `effective_rank`: exp of the entropy of s_i / sum_j s_j (Roy & Vetterli 2007).
- `feature_rank`: number of s_i / sqrt(B) above 0.01 (Lyle 2022).
- `stable_rank`: ||Phi||_F^2 / ||Phi||_2^2 (numerical linear algebra).

All but `feature_rank` stay when Phi is scaled. A layer of zeros has rank 0 in
each. They are reported for each dense layer but the last and for the encoder's
output, by one decomposition for all four (`base.Probe.singular_values`), each
as `measures.ranks` has it.
"""

import jax

from plasticity_rl.diagnostics.base import Probe
from plasticity_rl.measures import ranks


def srank(probe: Probe, delta: float = 0.01) -> dict[str, jax.Array]:
  """srank_delta(Phi) = min k with sum_{i<=k} s_i / sum_i s_i >= 1 - delta.

  Kumar et al., "Implicit Under-Parameterization Inhibits Data-Efficient Deep
  RL", 2021, with their delta of 0.01. See the module for the layers, and for
  what else bears its names.
  """
  return {
    layer: ranks.srank_of(s, delta)
    for layer, s in probe.singular_values.items()
  }


def effective_rank(probe: Probe) -> dict[str, jax.Array]:
  """exp(-sum_i p_i log p_i) with p_i = s_i / sum_j s_j.

  Roy & Vetterli, "The Effective Rank: A Measure of Effective Dimensionality",
  2007. Not Kumar's, which is `srank`.
  """
  return {
    layer: ranks.effective_rank_of(s)
    for layer, s in probe.singular_values.items()
  }


def feature_rank(probe: Probe, eps: float = 0.01) -> dict[str, jax.Array]:
  """Number of singular values of Phi / sqrt(B) above `eps`.

  Lyle et al., "Understanding and Preventing Capacity Loss in Reinforcement
  Learning", 2022, with their threshold. They take 5000 examples, here it is
  the probe batch.
  """
  examples = jax.tree.leaves(probe.inputs)[0].shape[0]
  return {
    layer: ranks.feature_rank_of(s, examples, eps)
    for layer, s in probe.singular_values.items()
  }


def stable_rank(probe: Probe) -> dict[str, jax.Array]:
  """||Phi||_F^2 / ||Phi||_2^2 = sum_i s_i^2 / s_1^2.

  Rudelson & Vershynin, "Sampling from Large Matrices", 2007 (there the
  numerical rank). Not what some libraries give under this name: that is
  `srank`.
  """
  return {
    layer: ranks.stable_rank_of(s) for layer, s in probe.singular_values.items()
  }
