"""Supervised learning as an agent: an update is a step."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax

from plasticity_rl.agents import base
from plasticity_rl.types import AgentSpec
from plasticity_rl.types import NetSpec


def cross_entropy(logits: jax.Array, labels: jax.Array) -> jax.Array:
  """Of logits `[B, C]` and labels `[B]`, `[B]`."""
  return optax.softmax_cross_entropy_with_integer_labels(logits, labels)


def squared_error(outputs: jax.Array, values: jax.Array) -> jax.Array:
  """(output - value)^2 of outputs `[B, 1]` and values `[B]`, `[B]`."""
  return jnp.square(outputs[:, 0] - values)


def make(
  net: NetSpec,
  *,
  slots: int = 0,
  name: str = 'classifier',
  error: Callable[[jax.Array, jax.Array], jax.Array] = cross_entropy,
) -> base.Agent:
  """The agent whose only network is `net`, called `name`.

  In its batches `s_tm1` are inputs and `a_tm1` what `error` compares the
  outputs with; the rest of a transition is not looked at.
  """

  def outputs_of(params, inputs):
    return net.network.apply(params, inputs).outputs

  def losses(key, nets, batch):
    del key, nets

    def loss(params):
      output = net.network.apply(params, batch.s_tm1)
      return error(output.outputs, batch.a_tm1), output

    return {name: loss}

  spec = AgentSpec(
    nets={name: net},
    default_nets=(name,),
    encoder_net=name,
    inputs=lambda params, batch: {name: batch.s_tm1},
    policy=lambda params, batch: jnp.argmax(
      outputs_of(params[name], batch.s_tm1), -1
    ),
    losses=losses,
    slots=slots,
  )

  def act_greedily(key, nets, observations):
    del key
    return outputs_of(nets[name].params, observations)

  def update(key, nets, batch, updates):
    del updates
    state, metrics, _ = base.gradient_step(
      net,
      nets[name],
      lambda part: (losses(key, nets, part)[name], part.s_tm1),
      batch,
    )
    return {name: state}, metrics

  return base.Agent(
    spec=spec,
    init=lambda key: {name: base.init_net(key, net, slots)},
    act=lambda key, nets, observations, step: act_greedily(
      key, nets, observations
    ),
    act_greedily=act_greedily,
    update=update,
  )
