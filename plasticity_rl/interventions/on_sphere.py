"""Interventions leave weights on the unit sphere where they found them there.

In a network of `networks.hyperspherical` every unit's incoming weights have
length 1. A column of weights that an intervention has changed is divided by its
length; what it leaves alone stays to the bit (a target that follows slowly is
not quite on the sphere), and so does what it has drawn, which is there already.
"""

from typing import Any

import jax
import jax.numpy as jnp

from plasticity_rl import injection
from plasticity_rl import sphere
from plasticity_rl.interventions.base import Intervention
from plasticity_rl.types import AgentSpec
from plasticity_rl.types import Key
from plasticity_rl.types import Params
from plasticity_rl.types import TrainState
from plasticity_rl.types import Transition

_ROUNDING = 1e-5


def kept(spec: AgentSpec, intervention: Intervention) -> Intervention:
  """The intervention, after which weights lie on the sphere as before."""
  names = [name for name, net in spec.nets.items() if net.on_sphere]
  if not names:
    return intervention

  def apply(
    key: Key, state: TrainState, own: Any, batch: Transition
  ) -> tuple[TrainState, Any]:
    before = state.nets
    state, own = intervention.apply(key, state, own, batch)
    nets = dict(state.nets)
    for name in names:
      old, new = before[name], nets[name]
      nets[name] = new._replace(
        params=_back(old.params, new.params),
        target=None if new.target is None else _back(old.target, new.target),
      )
    return state._replace(nets=nets), own

  return Intervention(
    intervention.init, apply, nets_only=intervention.nets_only
  )


def _back(old: Params, new: Params) -> Params:
  """`new` with the columns that differ from `old` on the sphere."""

  def one(path: tuple[Any, ...], w: jax.Array, before: jax.Array) -> jax.Array:
    if not sphere.is_on_sphere(path):
      return w
    length = jnp.linalg.norm(w, axis=-2, keepdims=True)
    is_other = (w != before).any(-2, keepdims=True)
    is_off = jnp.abs(length - 1) > _ROUNDING
    return jnp.where(is_other & is_off, sphere.project(w), w)

  plain = jax.tree_util.tree_map_with_path(
    one, injection.trainable(new), injection.trainable(old)
  )
  return injection.replace_trainable(new, plain)
