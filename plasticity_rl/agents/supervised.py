"""A classifier as an agent: its decisions are labels, an update is a step."""

import jax.numpy as jnp
import optax

from plasticity_rl.agents import base
from plasticity_rl.types import AgentSpec
from plasticity_rl.types import NetSpec


def make(net: NetSpec, *, slots: int = 0) -> base.Agent:
  """The agent whose only network 'classifier' is `net`, of logits `[B, C]`.

  In its batches `s_tm1` are inputs and `a_tm1` their labels; the rest of a
  transition is not looked at.
  """

  def logits_of(params, inputs):
    return net.network.apply(params, inputs).outputs

  def losses(key, nets, batch):
    del key, nets

    def loss(params):
      output = net.network.apply(params, batch.s_tm1)
      return optax.softmax_cross_entropy_with_integer_labels(
          output.outputs, batch.a_tm1
      ), output

    return {'classifier': loss}

  spec = AgentSpec(
      nets={'classifier': net},
      default_nets=('classifier',),
      encoder_net='classifier',
      inputs=lambda params, batch: {'classifier': batch.s_tm1},
      policy=lambda params, batch: jnp.argmax(
          logits_of(params['classifier'], batch.s_tm1), -1
      ),
      losses=losses,
      slots=slots,
  )

  def act_greedily(key, nets, observations):
    del key
    return logits_of(nets['classifier'].params, observations)

  def update(key, nets, batch, updates):
    del updates
    loss = losses(key, nets, batch)['classifier']
    state, metrics, _ = base.descend(
        net, nets['classifier'], loss, batch.s_tm1
    )
    return {'classifier': state}, metrics

  return base.Agent(
      spec=spec,
      init=lambda key: {'classifier': base.init_net(key, net, slots)},
      act=lambda key, nets, observations, step: act_greedily(
          key, nets, observations
      ),
      act_greedily=act_greedily,
      update=update,
  )
