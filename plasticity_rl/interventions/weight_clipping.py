"""Weight clipping (Elsayed et al., 2024)."""

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np

from plasticity_rl import checks
from plasticity_rl import injection as core
from plasticity_rl.errors import UserError
from plasticity_rl.interventions import base
from plasticity_rl.layers import get_layer
from plasticity_rl.layers import put_layer
from plasticity_rl.types import AgentSpec
from plasticity_rl.types import Key
from plasticity_rl.types import NetSpec
from plasticity_rl.types import NetState
from plasticity_rl.types import Params


def weight_clipping(
  spec: AgentSpec,
  *,
  kappa: float = 2.0,
  nets: Sequence[str] | None = None,
) -> base.Intervention:
  """Keeps each layer's weights and biases within a multiple of their bound.

      w <- clip(w, -kappa s, kappa s),    s = 1 / sqrt(fan_in),

  fan_in the inputs of one unit (kernel height x width x channels), for the
  layer's weights and biases alike. Scales and offsets of layer normalisation
  and gains of weight normalisation start at values that have nothing to do with
  s, and are not clipped.

  Elsayed et al., "Weight Clipping for Deep Continual and Reinforcement
  Learning", 2024; meant to happen after every update: `every_updates=1`.
  s is the bound of the uniform initialiser used there. Ours are truncated
  normals of standard deviation s, within 2 s: with kappa = 2, the default,
  initial weights are not clipped; less clips some at once. Online and target
  are clipped alike; the optimizer's state is kept. Frozen and thawed heads
  stay as they are.

  Args:
    spec: the agent.
    kappa: above 0; very large ones change nothing.
    nets: networks to act on; by default those that the agent names.
  """
  checks.number('weight_clipping: kappa', kappa, 0)
  if not kappa:
    raise UserError('weight_clipping: kappa must be above 0: 0')
  names = base.check_nets(spec, nets)
  base.check_able(
    names, 'layers', {name: net.layers for name, net in spec.nets.items()}
  )

  def transform(key: Key, net: NetSpec, state: NetState) -> NetState:
    del key

    def clip(params: Params) -> Params:
      plain = core.trainable(params)
      for layer in net.layers:
        tree = get_layer(plain, layer)
        bound = kappa / np.sqrt(np.prod(tree[layer.weight].shape[:-1]))
        clipped = {
          k: jnp.clip(tree[k], -bound, bound)
          for k in (layer.weight, layer.bias)
          if k in tree
        }
        plain = put_layer(plain, layer, {**tree, **clipped})
      return core.replace_trainable(params, plain)

    return state._replace(
      params=clip(state.params),
      target=None if state.target is None else clip(state.target),
    )

  return base.on_nets(spec, names, transform)
