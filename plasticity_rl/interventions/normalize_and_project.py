"""The projection of Normalize-and-Project (Lyle et al., 2024)."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from plasticity_rl import injection as core
from plasticity_rl.interventions import base
from plasticity_rl.layers import get_layer
from plasticity_rl.layers import put_layer
from plasticity_rl.types import AgentSpec
from plasticity_rl.types import Key
from plasticity_rl.types import NetSpec
from plasticity_rl.types import NetState
from plasticity_rl.types import Params


def normalize_and_project(
  spec: AgentSpec, *, nets: Sequence[str] | None = None
) -> base.Intervention:
  """Rescales each layer's weights to the norm that they were drawn with.

      w <- w ||w_0|| / ||w||,

  the Euclidean norm of all of a layer's weights, w_0 the initial ones
  (`NetState.initial`); weights of norm zero stay. The effective learning rate,
  which falls as weights grow, stays what it was.

  Lyle et al., "Normalization and Effective Learning Rates in Reinforcement
  Learning", 2024; meant to happen after every update: `every_updates=1`.
  Deviations: this is the projection; the normalisation, a layer norm before
  each non-linearity under which rescaling changes no function, is the
  network's, and without it outputs do change. Biases, which the paper does
  without (its layer norm has an offset), are left alone. The last layer is
  projected as the others are; online and target alike. Frozen and thawed
  heads stay as they are.

  Args:
    spec: the agent.
    nets: networks to act on; by default those that the agent names.
  """
  names = base.check_nets(spec, nets)
  base.check_able(
    names, 'layers', {name: net.layers for name, net in spec.nets.items()}
  )

  def transform(key: Key, net: NetSpec, state: NetState) -> NetState:
    del key

    def project(params: Params) -> Params:
      plain = core.trainable(params)
      for layer in net.layers:
        own = get_layer(plain, layer)
        initial = get_layer(state.initial, layer)[layer.weight]
        w = rescale(own[layer.weight], norm(initial))
        plain = put_layer(plain, layer, {**own, layer.weight: w})
      return core.replace_trainable(params, plain)

    return state._replace(
      params=project(state.params),
      target=None if state.target is None else project(state.target),
    )

  return base.on_nets(spec, names, transform)


def norm(w: jax.Array) -> jax.Array:
  """Euclidean norm of all elements, a scalar."""
  return jnp.sqrt(jnp.sum(w * w))


def rescale(w: jax.Array, wanted: jax.Array) -> jax.Array:
  """`w` with that norm; zeros stay zeros, the right norm stays to the bit."""
  now = norm(w)
  return w * jnp.where(now > 0, wanted / jnp.where(now > 0, now, 1), 1)
