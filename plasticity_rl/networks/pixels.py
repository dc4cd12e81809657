"""Networks of actor-critic agents on images, with a shared encoder.

The convolutions are the encoder of the critic, and their output is the input of
the actor. The heads are separate. Each consists of a trunk (a dense layer with
layer normalisation and tanh) and of dense layers as on vectors. The members of
the critic share a trunk.
"""

import dataclasses
from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp

from plasticity_rl.errors import UserError
from plasticity_rl.layers import Layer
from plasticity_rl.networks import ensemble
from plasticity_rl.networks import initializers
from plasticity_rl.networks import layers as layers_lib
from plasticity_rl.networks import sequential
from plasticity_rl.networks.actor_critic import Built
from plasticity_rl.networks.actor_critic import actor_config
from plasticity_rl.networks.actor_critic import gaussian
from plasticity_rl.networks.actor_critic import values
from plasticity_rl.networks.sequential import Sequential
from plasticity_rl.split import SplitNetwork
from plasticity_rl.types import Params

TRUNK = 'trunk'
TRUNK_BOUNDS = (-1.0, 1.0)  # Of tanh.


def check(config: Sequential) -> None:
  """Checks that the encoder of a network consists of its convolutions.

  Raises:
    UserError: it does not.
  """
  count = len(config.convolutions)
  if not count:
    raise UserError('drq needs network.convolutions, its shared encoder')
  after = config.dense_parts + 1  # The trunk comes after the convolutions.
  if config.split not in (count, -after):
    raise UserError(
      'drq shares its convolutions, so that network.split must be '
      f'{count} or -{after}: {config.split}'
    )


def critic(
  config: Sequential, latent: int, action_size: int, members: int
) -> Built:
  """Builds critics: `(images [B, H, W, C], a [B, A]) -> Q`, `[B, members]`.

  The action is joined to the output of the trunk.

  Args:
    config: the settings.
    latent: width of the trunk.
    action_size: A.
    members: number of critics.

  Returns:
    The network and its layers.

  Raises:
    UserError: the settings do not fit together.
  """
  check(config)
  count = len(config.convolutions)
  convolutions, declared = sequential.build(
    dataclasses.replace(
      config,
      hidden=(),
      residual_blocks=0,
      multi_skip=False,
      num_outputs=1,
      split=count,
    )
  )
  mlp, mlp_layers = ensemble.build(
    *_mlp(config, latent + action_size, num_outputs=1), members
  )
  trunk = _trunk(config, latent)
  mlp_apply = values(mlp.head_apply)

  def encoder_init(key, x):
    return convolutions.encoder_init(key, x[0])

  def encoder_apply(params, x):
    images, action = x
    features, layers = convolutions.encoder_apply(params, images)
    return (features, action), layers

  def head_init(key, features):
    return _init(key, trunk, mlp, features[0], latent + action_size)

  def head_apply(params, features):
    image, action = features
    z = trunk.apply(params, image)
    q, layers = mlp_apply(
      _without_trunk(params), jnp.concatenate([z, action], -1)
    )
    return q, {TRUNK: z, **layers}

  network = SplitNetwork(
    encoder_init,
    encoder_apply,
    head_init,
    head_apply,
    with_layers=True,
    example=(
      convolutions.example,
      jax.ShapeDtypeStruct((1, action_size), jnp.float32),
    ),
  )
  first = mlp_layers[0].path
  return network, (
    *declared[:count],
    # Its input is the flattened output of the last convolution.
    dataclasses.replace(
      declared[count],
      name=TRUNK,
      path=('head', TRUNK),
      hidden=True,
      bounds=TRUNK_BOUNDS,
    ),
    *(
      dataclasses.replace(layer, side_inputs=action_size)
      if layer.path == first
      else layer
      for layer in mlp_layers
    ),
  )


def encode(network: SplitNetwork, params: Params, images: jax.Array) -> Any:
  """Features of images `[B, H, W, C]` by the critic's encoder, `[B, ...]`."""
  (features, _), _ = network.encoder_apply(params['encoder'], (images, None))
  return features


def actor(config: Sequential, latent: int, action_size: int) -> Built:
  """Builds an actor on the features of `encode`; outputs a `Gaussian`.

  All its layers are in the head.

  Args:
    config: the settings.
    latent: width of the trunk.
    action_size: A.

  Returns:
    The network and its layers.

  Raises:
    UserError: the settings do not fit together.
  """
  check(config)
  mlp, mlp_layers = _mlp(actor_config(config, action_size), latent)
  trunk = _trunk(config, latent)
  mlp_apply = gaussian(mlp.head_apply)

  def head_apply(params, features):
    z = trunk.apply(params, features)
    outputs, layers = mlp_apply(_without_trunk(params), z)
    return outputs, {TRUNK: z, **layers}

  return SplitNetwork(
    encoder_init=lambda key, x: {},
    encoder_apply=lambda params, x: (x, {}),
    head_init=lambda key, x: _init(key, trunk, mlp, x, latent),
    head_apply=head_apply,
    with_layers=True,
    example=jax.ShapeDtypeStruct(
      (1, *sequential.image_sizes(config)[-1]), jnp.float32
    ),
  ), (Layer(TRUNK, ('head', TRUNK), bounds=TRUNK_BOUNDS), *mlp_layers)


def _mlp(config, size, **changes):
  """Dense layers on `[B, size]`, all of them in the head."""
  return sequential.build(
    dataclasses.replace(
      config,
      observation_shape=(size,),
      convolutions=(),
      split=0,
      infer_heads=0,
      **changes,
    )
  )


def _trunk(config, latent):
  def run(x):
    layer = layers_lib.Dense(
      latent,
      layers_lib.Norms(layer=True, weight=config.weight_norm),
      TRUNK,
      initializers.make(config.initializer),
    )
    return jnp.tanh(layer(x))

  return hk.without_apply_rng(hk.transform(run))


def _init(key, trunk, mlp, features, size):
  trunk_key, mlp_key = jax.random.split(key)
  x = jnp.zeros((1, size))
  return {**trunk.init(trunk_key, features), **mlp.head_init(mlp_key, x)}


def _without_trunk(params):
  return {name: layer for name, layer in params.items() if name != TRUNK}
