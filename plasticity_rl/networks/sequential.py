"""Convolutions and dense layers, split at any layer into encoder and head."""

import dataclasses

import haiku as hk
import jax
import jax.numpy as jnp

from plasticity_rl import settings
from plasticity_rl.errors import UserError
from plasticity_rl.injection import SplitNetwork
from plasticity_rl.layers import Layer
from plasticity_rl.networks import initializers
from plasticity_rl.networks import layers as layers_lib
from plasticity_rl.networks.activations import ACTIVATIONS


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sequential(settings.NetworkConfig):
  """The architecture of a network: its settings, and what an agent adds.

  Attributes:
    observation_shape: shape of one input: `[H, W, C]`, or any shape if there
      are no convolutions.
    num_outputs: width of the last layer.
    infer_heads: number k of auxiliary linear heads on the flattened output of
      the encoder. Their outputs `[B, k]` are in `layers['infer']`, their
      parameters in the encoder, under 'infer'.
    output_gains: orthogonal gains of equal parts of the outputs.
  """

  observation_shape: tuple[int, ...]
  num_outputs: int
  infer_heads: int = 0
  output_gains: tuple[float, ...] = (initializers.GAIN,)

  @property
  def num_layers(self) -> int:
    """Number of layers with weights."""
    return len(self.convolutions) + len(self.hidden) + 1

  @property
  def split_index(self) -> int:
    """Number of layers in the encoder.

    Raises:
      UserError: `split` is out of range.
    """
    count = self.num_layers
    split = self.split + count if self.split < 0 else self.split
    if not 0 <= split < count:
      raise UserError(
        f'network.split is {self.split}, but a network of {count} layers '
        f'can be split at {-count} to {count - 1}'
      )
    return split

  @property
  def features_per_unit(self) -> int:
    """Number of features that the activation returns for each unit."""
    return ACTIVATIONS[self.activation].features_per_unit

  def units(self, width: int) -> int:
    """Number of units of a hidden layer of this width.

    Raises:
      UserError: the width is not a multiple of `features_per_unit`.
    """
    if self.width_counts == 'units':
      return width
    if width % self.features_per_unit:
      raise UserError(
        f'network.activation {self.activation!r} makes '
        f'{self.features_per_unit} features of a unit, so that widths must '
        f'be multiples of it: {width}; or let network.width_counts be '
        "'units'"
      )
    return width // self.features_per_unit


def preprocess(x: jax.Array) -> jax.Array:
  """Casts to float32; bytes are scaled to [0, 1]."""
  if x.dtype == jnp.uint8:
    return x.astype(jnp.float32) / 255.0
  return x.astype(jnp.float32)


def image_sizes(config: Sequential) -> list[tuple[int, int, int]]:
  """Height, width and channels after each convolution.

  Raises:
    UserError: the convolutions do not fit the observations.
  """
  if not config.convolutions:
    return []
  if len(config.observation_shape) != 3:
    raise UserError(
      'network.convolutions needs images [H, W, C], but observations have '
      f'shape {config.observation_shape}'
    )
  sizes = []
  height, width, _ = config.observation_shape
  for filters, kernel, stride in config.convolutions:
    height, width = ((size - kernel) // stride + 1 for size in (height, width))
    if height < 1 or width < 1:
      raise UserError(
        f'network.convolutions {config.convolutions} leave nothing of '
        f'observations of shape {config.observation_shape}'
      )
    channels = config.units(filters) * config.features_per_unit
    sizes.append((height, width, channels))
  return sizes


def build(config: Sequential) -> tuple[SplitNetwork, tuple[Layer, ...]]:
  """Builds the split network of `config`.

  Returns:
    The network, and its layers in the order of the forward pass.

  Raises:
    UserError: the settings do not fit together.
  """
  split = config.split_index
  if config.infer_heads and not split:
    raise UserError(
      'regularizer.infer needs an encoder, but network.split is '
      f'{config.split}: all layers are in the head'
    )
  image_sizes(config)  # Refuses what does not fit.
  n_conv = len(config.convolutions)
  widths = [*map(config.units, config.hidden), config.num_outputs]
  names = [f'conv_{i}' for i in range(n_conv)]
  names += [f'dense_{i}' for i in range(n_conv, config.num_layers)]

  def run(x, begin, end):
    layers = {}
    for i in range(begin, end):
      is_hidden = i < config.num_layers - 1
      norms = layers_lib.Norms(
        config.layer_norm and is_hidden, config.weight_norm
      )
      draw = initializers.make(
        config.initializer,
        *([] if is_hidden else [config.output_gains]),
      )
      if i < n_conv:
        filters, kernel, stride = config.convolutions[i]
        layer = layers_lib.Convolution(
          config.units(filters),
          kernel,
          stride,
          config.convolution,
          norms,
          names[i],
          draw,
        )
      else:
        units = widths[i - n_conv]
        layer = layers_lib.Dense(units, norms, names[i], draw)
      x = layer(x)
      if is_hidden:
        x = ACTIVATIONS[config.activation].function(x)
      layers[names[i]] = x
    return x, layers

  def encode(x):
    x, layers = run(preprocess(x), 0, split)
    if config.infer_heads:
      heads = hk.Linear(config.infer_heads, name='infer')
      layers['infer'] = heads(x.reshape(x.shape[0], -1))
    return x, layers

  # `hk.transform` refuses modules with a state. Injection sums the outputs of
  # heads and has no place for a state.
  encoder = hk.without_apply_rng(hk.transform(encode))
  head = hk.without_apply_rng(
    hk.transform(lambda x: run(x, split, config.num_layers))
  )
  network = SplitNetwork(
    encoder.init,
    encoder.apply,
    head.init,
    head.apply,
    with_layers=True,
    example=jax.ShapeDtypeStruct((1, *config.observation_shape), jnp.float32),
  )

  def declared(i: int, name: str) -> Layer:
    path = ('encoder' if i < split else 'head', name)
    if i == config.num_layers - 1:
      return Layer(name, path, hidden=False)
    activation = ACTIVATIONS[config.activation]
    return Layer(
      name,
      path,
      features_per_unit=activation.features_per_unit,
      bounds=activation.bounds,
    )

  layers = tuple(declared(i, name) for i, name in enumerate(names))
  return network, layers
