"""What an agent is, and how gradients are applied."""

import abc
import math
from collections.abc import Callable
from typing import Any

import chex
import jax
import jax.numpy as jnp

from plasticity_rl import injection
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
# `(data) -> (loss, inputs)`: the loss on these data, and what the network is
# fed there.
LossOf = Callable[[Any], tuple[Loss, Any]]


class Agent(abc.ABC):
  """An algorithm: pure functions over the networks of one seed.

  Attributes:
    spec: what interventions and diagnostics may know.
  """

  spec: AgentSpec

  @abc.abstractmethod
  def init(self, key: Key) -> Nets:
    """Fresh networks by name. The key is consumed."""

  @abc.abstractmethod
  def act(
    self, key: Key, nets: Nets, observations: jax.Array, step: jax.Array
  ) -> jax.Array:
    """Actions in training.

    Args:
      key: consumed.
      nets: the networks.
      observations: `[E, ...]`, of E environments.
      step: agent decisions since exploration started, a scalar.

    Returns:
      `[E]` of discrete actions, `[E, A]` of continuous ones.
    """

  @abc.abstractmethod
  def act_greedily(
    self, key: Key, nets: Nets, observations: jax.Array
  ) -> jax.Array:
    """Actions in evaluation, as `act`. The key is consumed."""

  @abc.abstractmethod
  def update(
    self,
    key: Key,
    nets: Nets,
    batch: Transition,
    updates: jax.Array,
    shard: Shard = UNSHARDED,
  ) -> tuple[Nets, dict[str, jax.Array]]:
    """One gradient step of each network.

    Args:
      key: consumed. It may be one for each example: see `example_keys`.
      nets: the networks.
      batch: transitions `[B, ...]`, this device's share of the batch.
      updates: how many were made before, a scalar.
      shard: which share that is; gradients are averaged over all shares.

    Returns:
      The new networks, and metrics (scalars) by name.
    """


def init_net(key: Key, net: NetSpec, slots: int) -> NetState:
  """A fresh network, its target a copy. The key is consumed."""
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
  loss_of: LossOf,
  data: Any,
  shard: Shard = UNSHARDED,
) -> tuple[NetState, dict[str, jax.Array], Any]:
  """One gradient step on the mean of losses plus the network's penalty.

  Where devices share a batch, the mean is over all of it: see `average`. With
  `net.microbatches` the data are taken in so many parts, one after the other
  (as many as divide them): of as many examples each, so that the mean of their
  gradients is the gradient of the whole.

  Args:
    net: the network.
    state: its state.
    loss_of: `(data) -> (loss, inputs)`: the loss on some of the data, and what
      the loss's output is the network's output on.
    data: whatever is by example, arrays of `[B, ...]`.
    shard: the share of the batch that `data` is.

  Returns:
    The new state, metrics, and the network's outputs. Metrics are 'loss', the
    mean loss without the penalty, and 'penalty' where the network has one.
  """
  chex.assert_equal_shape_prefix(jax.tree.leaves(data), 1)

  def gradients_of(data: Any) -> tuple[Any, Any]:
    loss, inputs = loss_of(data)

    def total(params: Params) -> tuple[jax.Array, Any]:
      losses, output = loss(params)
      # A column `[B, 1]` minus a vector `[B]` would be `[B, B]`.
      chex.assert_rank(losses, 1)
      value = losses.mean()
      if net.penalty is None:
        return value, ({'loss': value}, output)
      penalty = net.penalty(params, state.initial, inputs, output)
      chex.assert_rank(penalty, 0)
      return value + penalty, ({'loss': value, 'penalty': penalty}, output)

    gradients, (metrics, output) = jax.grad(total, has_aux=True)(state.params)
    return (gradients, metrics), output.outputs

  size = jax.tree.leaves(data)[0].shape[0]
  (gradients, metrics), outputs = accumulate_gradients(
    gradients_of, data, math.gcd(net.microbatches, size)
  )
  gradients = average(gradients, shard)
  return apply_gradients(net, state, gradients), metrics, outputs


def accumulate_gradients(
  function: Callable[[Any], tuple[Any, Any]], data: Any, count: int
) -> tuple[Any, Any]:
  """`function(data)` of so many parts of the data, one after the other.

  Args:
    function: `(data) -> (means, by_example)`: what is averaged over examples,
      and what there is of each, `[B, ...]`.
    data: arrays of `[B, ...]`; `count` divides B.
    count: parts. Of one, this is `function(data)`.
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
  """Gradients of what learns, averaged over devices; frozen ones as they are.

  Every share of a batch has as many examples, so that the mean over devices of
  gradients of mean losses is that of the whole batch; a penalty, which is the
  same on all, stays itself. What is frozen needs no gradient, and does not
  cross the wire.
  """
  if shard.axis is None:
    return gradients
  return jax.tree.map(
    lambda learns, g: shard.mean(g) if learns else g,
    injection.trainable_mask(gradients),
    gradients,
  )


def apply_gradients(
  net: NetSpec, state: NetState, gradients: Params
) -> NetState:
  """One optimizer step on what learns; frozen leaves are not touched."""
  chex.assert_trees_all_equal_shapes(gradients, state.params)
  updates, opt_state = net.optimizer.update(
    gradients, state.opt_state, state.params
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

  In this form what is equal stays equal, to the bit.
  """
  target = jax.tree.map(
    lambda t, o: t + tau * (o - t), state.target, state.params
  )
  return state._replace(target=target)


def copy_periodically(
  state: NetState, updates: jax.Array, period: int
) -> NetState:
  """Target becomes online, frozen heads included, every `period` updates."""
  target = jax.lax.cond(
    updates % period == 0,
    lambda: state.params,
    lambda: state.target,
  )
  return state._replace(target=target)
