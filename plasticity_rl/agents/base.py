"""The interface of agents, and the gradient step that they share."""

import abc
import math
from collections.abc import Callable
from typing import Any

import chex
import jax
import jax.numpy as jnp

from plasticity_rl import injection
from plasticity_rl.agents.sam import sam
from plasticity_rl.shard import UNSHARDED
from plasticity_rl.shard import Shard
from plasticity_rl.shard import example_keys as example_keys
from plasticity_rl.types import AgentSpec
from plasticity_rl.types import Key
from plasticity_rl.types import Loss
from plasticity_rl.types import NetSpec
from plasticity_rl.types import NetState
from plasticity_rl.types import Params
from plasticity_rl.types import Transition

Nets = dict[str, NetState]
# `(data) -> (loss, inputs)`: the loss on these data, and the inputs of the
# network in that loss.
MakeLoss = Callable[[Any], tuple[Loss, Any]]


class Agent(abc.ABC):
  """An algorithm: pure functions over the networks of one seed.

  Attributes:
    spec: the description that interventions and diagnostics read.
  """

  spec: AgentSpec

  @abc.abstractmethod
  def init(self, key: Key) -> Nets:
    """Initialises the networks, by name. The key is consumed."""

  @abc.abstractmethod
  def act(
    self, key: Key, nets: Nets, observations: jax.Array, step: jax.Array
  ) -> jax.Array:
    """Chooses actions in training, with exploration.

    Args:
      key: consumed.
      nets: the networks.
      observations: observations of E environments, `[E, ...]`.
      step: agent decisions since exploration started, a scalar.

    Returns:
      Discrete actions `[E]`, or continuous actions `[E, A]`.
    """

  @abc.abstractmethod
  def act_greedily(
    self, key: Key, nets: Nets, observations: jax.Array
  ) -> jax.Array:
    """Chooses actions in evaluation; see `act`. The key is consumed."""

  @abc.abstractmethod
  def update(
    self,
    key: Key,
    nets: Nets,
    batch: Transition,
    updates: jax.Array,
    shard: Shard = UNSHARDED,
    reference: Transition | None = None,
  ) -> tuple[Nets, dict[str, jax.Array]]:
    """Makes one gradient step of each network.

    Args:
      key: consumed. It may be an array of keys, one for each example: see
        `example_keys`.
      nets: the networks.
      batch: this device's part of the batch of transitions, `[B, ...]`.
      updates: number of earlier updates, a scalar.
      shard: the position of that part in the batch. Gradients are averaged
        over all devices.
      reference: this device's part of a second batch, for penalties; by
        default the first.

    Returns:
      The new networks, and metrics (scalars) by name.
    """


def init_net(key: Key, net: NetSpec, slots: int) -> NetState:
  """Initialises a network; its target is a copy. The key is consumed."""
  params = net.network.init(key)
  if slots:
    params = injection.with_slots(params, slots)
  # A copy, since the buffers of a state are donated and so must differ.
  target = jax.tree.map(jnp.copy, params) if net.has_target else None
  return NetState(
    params,
    target,
    net.optimizer.init(params),
    initial=jax.tree.map(jnp.copy, injection.trainable(params)),
  )


def gradient_step(
  net: NetSpec,
  state: NetState,
  make_loss: MakeLoss,
  data: Any,
  shard: Shard = UNSHARDED,
  reference: Any = None,
) -> tuple[NetState, dict[str, jax.Array], Any]:
  """One gradient step on the mean loss plus the penalty of the network.

  If devices share a batch, the mean is over the whole batch: see `average`.
  `net.microbatches` accumulates the gradient over that many parts of the data,
  or over the greatest common divisor of that number and B. The parts have equal
  sizes, so the mean of their gradients is the gradient of the whole. With
  `net.sam_radius`, the gradient is taken where `sam` says.

  Args:
    net: the network.
    state: its state.
    make_loss: `(data) -> (loss, inputs)`: the loss on (a part of) the data, and
      the inputs of the network in that loss.
    data: arrays with one row for each example, `[B, ...]`.
    shard: the part of the batch that `data` is.
    reference: inputs of the network in a second batch, `[B, ...]`, if
      `net.has_reference`.

  Returns:
    The new state, metrics, and the outputs of the network, `[B, ...]`. The
    metrics are 'loss', the mean loss without the penalty, and if the network
    has one 'penalty' and what it adds.
  """
  data = data, reference if net.has_reference else ()
  chex.assert_equal_shape_prefix(jax.tree.leaves(data), 1)

  def loss_gradients(params: Params, data: Any) -> tuple[Any, Any]:
    data, reference = data
    loss, inputs = make_loss(data)

    def total(params: Params) -> tuple[jax.Array, Any]:
      losses, output = loss(params)
      # A column `[B, 1]` minus a vector `[B]` would be `[B, B]`.
      chex.assert_rank(losses, 1)
      value = losses.mean()
      if net.penalty is None:
        return value, ({'loss': value}, output)
      penalty, more = net.penalty(params, state, inputs, output, reference)
      chex.assert_rank(penalty, 0)
      metrics = {'loss': value, 'penalty': penalty, **more}
      return value + penalty, (metrics, output)

    gradients, (metrics, output) = jax.grad(total, has_aux=True)(params)
    return (gradients, metrics), output.outputs

  def gradients_at(params: Params) -> tuple[Params, dict[str, jax.Array], Any]:
    size = jax.tree.leaves(data)[0].shape[0]
    (gradients, metrics), outputs = accumulate_gradients(
      lambda part: loss_gradients(params, part),
      data,
      math.gcd(net.microbatches, size),
    )
    gradients = average(gradients, shard)
    return gradients, metrics, outputs

  gradients, metrics, outputs = gradients_at(state.params)
  if net.sam_radius:
    gradients, _, _ = gradients_at(sam(state.params, gradients, net.sam_radius))
  told = {'metrics': shard.mean(metrics)} if net.has_reference else {}
  return apply_gradients(net, state, gradients, **told), metrics, outputs


def accumulate_gradients(
  function: Callable[[Any], tuple[Any, Any]], data: Any, count: int
) -> tuple[Any, Any]:
  """Computes `function(data)` in `count` parts, one after the other.

  Args:
    function: `(data) -> (means, by_example)`: results that are means over the
      examples, and results with one row for each example, `[B, ...]`.
    data: arrays `[B, ...]`; `count` divides B.
    count: number of parts.

  Returns:
    The result of `function(data)`.
  """
  if count == 1:
    return function(data)
  parts = jax.tree.map(
    lambda x: x.reshape(count, x.shape[0] // count, *x.shape[1:]), data
  )

  def one(total: Any, part: Any) -> tuple[Any, Any]:
    means, by_example = function(part)
    return jax.tree.map(jnp.add, total, means), by_example

  first = jax.tree.map(lambda x: x[0], parts)
  zeros = jax.tree.map(
    lambda x: jnp.zeros(x.shape, x.dtype),
    jax.eval_shape(function, first)[0],
  )
  total, by_example = jax.lax.scan(one, zeros, parts)
  return (
    jax.tree.map(lambda x: x / count, total),
    jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), by_example),
  )


def average(gradients: Params, shard: Shard) -> Params:
  """Averages the gradients of trainable parameters over devices.

  All devices have equally many examples, so this mean is the gradient of the
  mean loss over the whole batch. The penalty is the same on all devices, and so
  is its mean. Gradients of frozen parameters are not used: they are returned
  unchanged, without communication.
  """
  if shard.axis is None:
    return gradients
  return jax.tree.map(
    lambda learns, g: shard.mean(g) if learns else g,
    injection.trainable_mask(gradients),
    gradients,
  )


def apply_gradients(
  net: NetSpec, state: NetState, gradients: Params, **told: Any
) -> NetState:
  """One optimizer step on trainable parameters; frozen ones are kept.

  The optimizer's `update` takes what it is `told` as extra arguments.
  """
  chex.assert_trees_all_equal_shapes(gradients, state.params)
  updates, opt_state = net.optimizer.update(
    gradients, state.opt_state, state.params, **told
  )
  params = jax.tree.map(
    lambda learns, p, u: p + u if learns else p,
    injection.trainable_mask(state.params),
    state.params,
    updates,
  )
  return state._replace(params=params, opt_state=opt_state)


def polyak_update(state: NetState, tau: float) -> NetState:
  """target <- target + tau (online - target), frozen heads included.

  In this form, weights that are equal in both networks stay equal to the bit.
  """
  target = jax.tree.map(
    lambda t, o: t + tau * (o - t), state.target, state.params
  )
  return state._replace(target=target)


def copy_periodically(
  state: NetState, updates: jax.Array, period: int
) -> NetState:
  """Copies online to target, frozen heads included, every `period` updates."""
  target = jax.lax.cond(
    updates % period == 0,
    lambda: state.params,
    lambda: state.target,
  )
  return state._replace(target=target)
