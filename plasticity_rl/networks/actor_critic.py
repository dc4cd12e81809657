"""Networks of actor-critic agents on vectors: actor, critics, temperature."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from plasticity_rl.layers import Layer
from plasticity_rl.networks import ensemble
from plasticity_rl.networks import initializers
from plasticity_rl.networks import sequential
from plasticity_rl.networks.sequential import Sequential
from plasticity_rl.networks.sequential import preprocess
from plasticity_rl.split import SplitNetwork

Built = tuple[SplitNetwork, tuple[Layer, ...]]
# Orthogonal gains of the actor's two outputs. The gain of the mean is that of
# hidden layers; log std has a smaller one, so stds start close to one another.
GAINS = (initializers.GAIN, 1.0)


class Gaussian(NamedTuple):
  """Outputs of an actor, `[B, A]`, before any non-linearity.

  An injected network sums the outputs of its heads in this form, before tanh.

  Attributes:
    mean: mean of the action before tanh.
    log_std: log standard deviation before it is bounded.
  """

  mean: jax.Array
  log_std: jax.Array


def actor_config(config: Sequential, action_size: int) -> Sequential:
  """Settings of an actor; `config` holds the shape of its observations."""
  return dataclasses.replace(
    config, num_outputs=2 * action_size, output_gains=GAINS
  )


def critic_config(
  config: Sequential, action_size: int, outputs: int = 1
) -> Sequential:
  """Settings of a critic, whose input is observation and action joined."""
  size = math.prod(config.observation_shape) + action_size
  return dataclasses.replace(
    config, observation_shape=(size,), num_outputs=outputs
  )


def actor(config: Sequential) -> Built:
  """Builds an actor, whose outputs are a `Gaussian`.

  Args:
    config: from `actor_config`.

  Returns:
    The network and its layers.

  Raises:
    UserError: the settings do not fit together.
  """
  network, layers = sequential.build(config)
  return dataclasses.replace(
    network, head_apply=gaussian(network.head_apply)
  ), layers


def critic(config: Sequential, action_size: int, members: int) -> Built:
  """Builds critics: `(s [B, ...], a [B, A]) -> Q`, `[B, members]`.

  With several outputs each, these stand side by side, `[B, members * outputs]`.

  Args:
    config: from `critic_config`.
    action_size: A.
    members: number of critics.

  Returns:
    The network and its layers.

  Raises:
    UserError: the settings do not fit together.
  """
  network, layers = ensemble.build(*sequential.build(config), members)
  encoder_init, encoder_apply = network.encoder_init, network.encoder_apply
  size = config.observation_shape[0] - action_size
  return dataclasses.replace(
    network,
    encoder_init=lambda key, x: encoder_init(key, _concatenate(x)),
    encoder_apply=lambda params, x: encoder_apply(params, _concatenate(x)),
    head_apply=values(network.head_apply),
    example=(
      jax.ShapeDtypeStruct((1, size), jnp.float32),
      jax.ShapeDtypeStruct((1, action_size), jnp.float32),
    ),
  ), layers


def _concatenate(x):
  """Joins observations, flattened, and actions on the last axis."""
  observation, action = x
  observation = preprocess(observation)
  flat = observation.reshape(observation.shape[0], -1)
  return jnp.concatenate([flat, action], -1)


def gaussian(head_apply: Callable[..., Any]) -> Callable[..., Any]:
  """Makes a head with outputs `[B, 2 A]` return a `Gaussian`."""

  def apply(params, features):
    outputs, layers = head_apply(params, features)
    return Gaussian(*jnp.split(outputs, 2, -1)), layers

  return apply


def values(head_apply: Callable[..., Any]) -> Callable[..., Any]:
  """Makes heads with outputs `[members, B, n]` return `[B, members * n]`."""

  def apply(params, features):
    outputs, layers = head_apply(params, features)
    if outputs.shape[-1] == 1:
      return outputs[..., 0].T, layers
    return jnp.concatenate(list(outputs), -1), layers

  return apply


def temperature(initial: float) -> SplitNetwork:
  """log alpha, a trainable scalar, in the form of a network.

  It has no layers and its input is `()`. Its output, a scalar, is its only
  parameter, at `['head']['log_alpha']`.
  """
  return SplitNetwork(
    encoder_init=lambda key, x: {},
    encoder_apply=lambda params, x: (x, {}),
    head_init=lambda key, x: {
      'log_alpha': jnp.full([], math.log(initial), jnp.float32)
    },
    head_apply=lambda params, x: (params['log_alpha'], {}),
    with_layers=True,
    example=(),
  )
