"""Measures of plasticity loss on plain arrays: arrays in, a number out.

They need no agent and no config of this package: take the features of a layer
of any network, `[B, F]`, or its parameters, any tree of arrays.

- `kernels`: how the examples hang together that are learned from.
- `ranks`: how many dimensions the features of a layer span.
- `gradients`: which units get little gradient.
- `units`: which units are dead, dormant or active.
- `weights`: how large the weights are, and how far they have come.

`plasticity_rl.diagnostics` are the same measures by layer of a whole agent.
"""

from plasticity_rl.measures.gradients import grama as grama
from plasticity_rl.measures.kernels import ntk_condition as ntk_condition
from plasticity_rl.measures.kernels import ntk_rank as ntk_rank
from plasticity_rl.measures.ranks import effective_rank as effective_rank
from plasticity_rl.measures.ranks import feature_rank as feature_rank
from plasticity_rl.measures.ranks import srank as srank
from plasticity_rl.measures.ranks import stable_rank as stable_rank
from plasticity_rl.measures.units import active_units as active_units
from plasticity_rl.measures.units import dead_units as dead_units
from plasticity_rl.measures.units import dormancy as dormancy
from plasticity_rl.measures.units import dormant_overlap as dormant_overlap
from plasticity_rl.measures.units import saturation as saturation
from plasticity_rl.measures.weights import (
  deviation_from_isometry as deviation_from_isometry,
)
from plasticity_rl.measures.weights import (
  distance_from_init as distance_from_init,
)
from plasticity_rl.measures.weights import update_ratio as update_ratio
from plasticity_rl.measures.weights import weight_growth as weight_growth
from plasticity_rl.measures.weights import weight_norm as weight_norm

__all__ = [
  'active_units',
  'dead_units',
  'deviation_from_isometry',
  'distance_from_init',
  'dormancy',
  'dormant_overlap',
  'effective_rank',
  'feature_rank',
  'grama',
  'ntk_condition',
  'ntk_rank',
  'saturation',
  'srank',
  'stable_rank',
  'update_ratio',
  'weight_growth',
  'weight_norm',
]
