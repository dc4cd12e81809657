"""Plasticity injection as a transformation of a parameter tree.

A network is split into an encoder and a head. Injection (Nikishin et al.,
"Deep Reinforcement Learning with Plasticity Injection", 2023) turns the head's
output `h(theta)` into

    h(theta) + h(theta'_1) - h(theta'_2),

all three on the same features, where theta'_1 = theta'_2 is one fresh draw of
the head's initialiser. theta and theta'_2 are frozen: they are not updated,
yet the encoder receives its gradient through all three terms. As many
parameters learn as before, and no prediction changes at that moment.

The tree *is* the architecture: `params['head']` becomes an `InjectedHead`, and
`SplitNetwork.apply` looks at it. Any pytree of floating-point arrays will do
(Haiku, Flax, Equinox); modules that keep a state are refused.

- `heads`: which heads can be injected.
- `params`: the tree, `inject_params` and slots.
- `optimizers`: `masked` and `grouped`, which leave frozen heads alone.
- `transform`: `inject`, both at once.
- `state_dict`: injected trees in checkpoints that are read without a target.
"""

from plasticity_rl.injection.optimizers import frozen_mask as frozen_mask
from plasticity_rl.injection.optimizers import grouped as grouped
from plasticity_rl.injection.optimizers import masked as masked
from plasticity_rl.injection.optimizers import trainable_mask as trainable_mask
from plasticity_rl.injection.params import drop_frozen as drop_frozen
from plasticity_rl.injection.params import inject_params as inject_params
from plasticity_rl.injection.params import is_full as is_full
from plasticity_rl.injection.params import with_slots as with_slots
from plasticity_rl.injection.state_dict import (
  from_state_dict as from_state_dict,
)
from plasticity_rl.injection.state_dict import to_state_dict as to_state_dict
from plasticity_rl.injection.transform import (
  OPTIMIZER_STATES as OPTIMIZER_STATES,
)
from plasticity_rl.injection.transform import carry_state as carry_state
from plasticity_rl.injection.transform import inject as inject
from plasticity_rl.split import HEAD as HEAD
from plasticity_rl.split import InjectedHead as InjectedHead
from plasticity_rl.split import SplitNetwork as SplitNetwork
from plasticity_rl.split import replace_trainable as replace_trainable
from plasticity_rl.split import trainable as trainable
