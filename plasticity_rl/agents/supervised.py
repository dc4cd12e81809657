"""Supervised learning as an agent: every step is one update."""

from collections.abc import Callable, Mapping

import chex
import jax
import jax.numpy as jnp
import optax

from plasticity_rl.agents import base
from plasticity_rl.shard import UNSHARDED
from plasticity_rl.shard import Shard
from plasticity_rl.types import AgentSpec
from plasticity_rl.types import Key
from plasticity_rl.types import Loss
from plasticity_rl.types import NetSpec
from plasticity_rl.types import NetState
from plasticity_rl.types import NetworkOutput
from plasticity_rl.types import Params
from plasticity_rl.types import Transition


def cross_entropy(logits: jax.Array, labels: jax.Array) -> jax.Array:
  """Cross-entropy of logits `[B, C]` and labels `[B]`; returns `[B]`."""
  chex.assert_rank([logits, labels], [2, 1])
  chex.assert_equal_shape_prefix([logits, labels], 1)
  return optax.softmax_cross_entropy_with_integer_labels(logits, labels)


def squared_error(outputs: jax.Array, values: jax.Array) -> jax.Array:
  """(output - value)^2 of outputs `[B, 1]` and values `[B]`; returns `[B]`."""
  chex.assert_rank(values, 1)
  chex.assert_shape(outputs, (*values.shape, 1))
  return jnp.square(outputs[:, 0] - values)


class Supervised(base.Agent):
  """Supervised learning of a single network.

  In its batches, `s_tm1` holds the inputs and `a_tm1` the labels or values. The
  other fields of a transition are not used.
  """

  def __init__(
    self,
    net: NetSpec,
    *,
    slots: int = 0,
    name: str = 'classifier',
    error: Callable[[jax.Array, jax.Array], jax.Array] = cross_entropy,
  ):
    """Builds nothing on a device.

    Args:
      net: the network.
      slots: number of injections to allocate from the start.
      name: name of the network.
      error: `(outputs [B, C], targets [B]) -> losses [B]`.
    """
    self._net, self._name, self._error = net, name, error
    self.spec = AgentSpec(
      nets={name: net},
      default_nets=(name,),
      encoder_net=name,
      inputs=lambda params, batch: {name: batch.s_tm1},
      policy=lambda params, batch: jnp.argmax(
        self._outputs(params[name], batch.s_tm1), -1
      ),
      losses=self._losses,
      slots=slots,
    )

  def init(self, key: Key) -> base.Nets:
    """See `Agent`."""
    return {self._name: base.init_net(key, self._net, self.spec.slots)}

  def act(
    self, key: Key, nets: base.Nets, observations: jax.Array, step: jax.Array
  ) -> jax.Array:
    """Outputs of the network, `[B, C]`, as in evaluation."""
    del step
    return self.act_greedily(key, nets, observations)

  def act_greedily(
    self, key: Key, nets: base.Nets, observations: jax.Array
  ) -> jax.Array:
    """Outputs of the network, `[B, C]`."""
    del key
    return self._outputs(nets[self._name].params, observations)

  def update(
    self,
    key: Key,
    nets: base.Nets,
    batch: Transition,
    updates: jax.Array,
    shard: Shard = UNSHARDED,
    reference: Transition | None = None,
  ) -> tuple[base.Nets, dict[str, jax.Array]]:
    """See `Agent`. Metrics: 'loss' and 'penalty' (if any)."""
    del updates
    name = self._name
    state, metrics, _ = base.gradient_step(
      self._net,
      nets[name],
      lambda part: (self._losses(key, nets, part)[name], part.s_tm1),
      batch,
      shard,
      (batch if reference is None else reference).s_tm1,
    )
    return {name: state}, metrics

  def _outputs(self, params: Params, inputs: jax.Array) -> jax.Array:
    outputs: jax.Array = self._net.network.apply(params, inputs).outputs
    return outputs

  def _losses(
    self, key: Key, nets: Mapping[str, NetState], batch: Transition
  ) -> dict[str, Loss]:
    del key, nets

    def loss(params: Params) -> tuple[jax.Array, NetworkOutput]:
      output = self._net.network.apply(params, batch.s_tm1)
      return self._error(output.outputs, batch.a_tm1), output

    return {self._name: loss}
