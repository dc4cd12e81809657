"""Predictions keep their mean through an intervention that redraws weights.

Values of some hundred start anew at about zero after a reset, so that a network
has to fit that large offset again before it can fit anything else. With
`keep_mean=True` the biases of the last layer are shifted so that, on the probe
batch, the mean of each output is what it was:

    b_i <- b_i + mean_B f_before(x)_i - mean_B f_after(x)_i.

Online and target are shifted alike. Moments of the optimizer are left alone.
What an offset costs: Lyle et al., "Disentangling the Causes of Plasticity Loss
in Neural Networks", 2024.
"""

from typing import Any

import jax
import jax.numpy as jnp

from plasticity_rl import checks
from plasticity_rl import errors
from plasticity_rl import injection
from plasticity_rl import layers as layers_lib
from plasticity_rl.interventions import base
from plasticity_rl.types import AgentSpec
from plasticity_rl.types import Key
from plasticity_rl.types import NetSpec
from plasticity_rl.types import Params
from plasticity_rl.types import TrainState
from plasticity_rl.types import Transition

OPTIONS = ('keep_mean',)


def with_mean_kept(
  spec: AgentSpec, intervention: base.Intervention, keep_mean: Any
) -> base.Intervention:
  """The intervention, after which mean outputs are what they were.

  Args:
    spec: the agent. Networks whose outputs are not an array `[B, n]`, such as
      an actor, are left as the intervention leaves them.
    intervention: what redraws weights.
    keep_mean: whether to do so.

  Returns:
    The intervention, or one with the shift after it.

  Raises:
    UserError: `keep_mean` is not True or False, or an output has no bias.
  """
  checks.choice('keep_mean', keep_mean, (True, False))
  if not keep_mean:
    return intervention
  for name, net in spec.nets.items():
    if any(x.bias is None for x in _outputs(net)):
      raise errors.UserError(
        f'keep_mean: the last layer of network {name!r} has no bias to shift'
      )

  def apply(
    key: Key, state: TrainState, own: Any, batch: Transition
  ) -> tuple[TrainState, Any]:
    before = _means(spec, state, batch)
    state, own = intervention.apply(key, state, own, batch)
    after = _means(spec, state, batch)
    nets = dict(state.nets)
    for name, mean in before.items():
      shift = mean - after[name]
      nets[name] = nets[name]._replace(
        params=_shifted(spec.nets[name], nets[name].params, shift)
      )
      if nets[name].target is not None:
        nets[name] = nets[name]._replace(
          target=_shifted(spec.nets[name], nets[name].target, shift)
        )
    return state._replace(nets=nets), own

  return base.Intervention(
    intervention.init, apply, nets_only=intervention.nets_only
  )


def _outputs(net: NetSpec) -> list[layers_lib.Layer]:
  return [layer for layer in net.layers if not layer.hidden]


def _means(
  spec: AgentSpec, state: TrainState, batch: Transition
) -> dict[str, jax.Array]:
  """Mean outputs, `[n]`, of networks whose outputs are the last biases'."""
  params = {name: net.params for name, net in state.nets.items()}
  inputs = spec.inputs(params, batch)
  means = {}
  for name, net in spec.nets.items():
    if not _outputs(net):
      continue
    outputs = net.network.apply(params[name], inputs[name]).outputs
    if isinstance(outputs, jax.Array):
      means[name] = outputs.mean(0)
  return means


def _shifted(net: NetSpec, params: Params, shift: jax.Array) -> Params:
  """Params whose trainable last biases are `shift` larger."""
  plain = injection.trainable(params)
  start = 0
  for layer in _outputs(net):
    weights = layers_lib.get_layer(plain, layer)
    bias = jnp.asarray(weights[layer.bias])
    part = shift[start : start + bias.shape[-1]].astype(bias.dtype)
    start += bias.shape[-1]
    plain = layers_lib.put_layer(
      plain, layer, {**weights, layer.bias: bias + part}
    )
  return injection.replace_trainable(params, plain)
