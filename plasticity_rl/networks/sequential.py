"""Convolutions and dense layers, split at any layer into encoder and head."""

import dataclasses
import functools
from collections.abc import Callable
from typing import NamedTuple

import haiku as hk
import jax
import jax.numpy as jnp

from plasticity_rl import settings
from plasticity_rl.errors import UserError
from plasticity_rl.injection import SplitNetwork
from plasticity_rl.layers import Layer
from plasticity_rl.networks import hyperspherical
from plasticity_rl.networks import initializers
from plasticity_rl.networks import layers as layers_lib
from plasticity_rl.networks.activations import ACTIVATIONS
from plasticity_rl.networks.multi_skip import multi_skip
from plasticity_rl.networks.simba import EXPANSION
from plasticity_rl.networks.simba import residual_block


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
  def dense_parts(self) -> int:
    """Parts of dense layers that a split cannot divide, the last one too."""
    blocks = 0 if self.multi_skip else self.residual_blocks
    return len(self.hidden) + blocks + 1 + self.hyperspherical

  @property
  def split_index(self) -> int:
    """Number of parts in the encoder: layers, residual blocks counted as one.

    Raises:
      UserError: `split` is out of range.
    """
    blocks = self.residual_blocks
    count = len(self.convolutions) + self.dense_parts
    split = self.split + count if self.split < 0 else self.split
    if not 0 <= split < count:
      counted = ' (a residual block counts as one)' if blocks else ''
      if blocks and self.multi_skip:
        counted = ' (all blocks and the layer before them count as one)'
      raise UserError(
        f'network.split is {self.split}, but a network of {count} layers'
        f'{counted} can be split at {-count} to {count - 1}'
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
  if config.residual_blocks and not config.hidden:
    raise UserError(
      'network.residual_blocks needs network.hidden, whose last width is that '
      'of the blocks: ()'
    )
  if config.multi_skip and not config.residual_blocks:
    raise UserError(
      'network.multi_skip is of residual blocks: network.residual_blocks is 0'
    )
  image_sizes(config)  # Refuses what does not fit.
  if config.hyperspherical:
    _check_spherical(config)
  parts = _spherical(config) if config.hyperspherical else _parts(config)

  def run(x, begin, end):
    layers = {}
    for part in parts[begin:end]:
      features = part.run(x)
      x = features[-1]
      layers.update(zip(part.names, features, strict=True))
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
  head = hk.without_apply_rng(hk.transform(lambda x: run(x, split, len(parts))))
  network = SplitNetwork(
    encoder.init,
    encoder.apply,
    head.init,
    head.apply,
    with_layers=True,
    example=jax.ShapeDtypeStruct((1, *config.observation_shape), jnp.float32),
  )
  activation = ACTIVATIONS[config.activation]
  names = [name for part in parts for name in part.names]
  layers = tuple(
    Layer(
      name,
      ('encoder' if i < split else 'head', name),
      hidden=hidden,
      bias=None if config.hyperspherical and name != names[-1] else 'b',
      features_per_unit=activation.features_per_unit if hidden else 1,
      bounds=activation.bounds if hidden else None,
    )
    for i, part in enumerate(parts)
    for name, hidden in zip(part.names, part.hidden, strict=True)
  )
  return network, layers


def _check_spherical(config: Sequential) -> None:
  """Refuses what has no place in SimBaV2's networks."""
  if config.convolutions or len(config.hidden) != 1:
    raise UserError(
      'network.hyperspherical takes vectors, and network.hidden is one width: '
      f'{config.hidden}, with convolutions {config.convolutions}'
    )
  for name in ('layer_norm', 'weight_norm', 'multi_skip'):
    if getattr(config, name):
      raise UserError(
        f'network.hyperspherical normalises in its own way: network.{name} '
        'must be False'
      )


class _Part(NamedTuple):
  """A layer, or a block of layers that is not split.

  Attributes:
    names: of its layers.
    hidden: whether each of them is hidden, as in `Layer`.
    run: `(x) -> features after each layer`; called inside `hk.transform`.
  """

  names: tuple[str, ...]
  hidden: tuple[bool, ...]
  run: Callable[[jax.Array], tuple[jax.Array, ...]]


def _spherical(config: Sequential) -> list[_Part]:
  """The parts of a network of SimBaV2's."""
  (width,), blocks = config.hidden, config.residual_blocks
  names = [f'dense_{i}' for i in range(2 * blocks + 3)]
  parts = [
    _Part(
      (names[0],),
      (False,),
      lambda x: (hyperspherical.embed(x, name=names[0], units=width),),
    )
  ]
  for pair in zip(names[1:-2:2], names[2:-2:2], strict=True):
    run = functools.partial(
      hyperspherical.spherical_block,
      names=pair,
      units=config.units(hyperspherical.EXPANSION * width),
      activate=ACTIVATIONS[config.activation].function,
      blocks=blocks,
    )
    parts.append(_Part(pair, (True, False), run))
  scaled, last = names[-2:]
  parts += [
    _Part(
      (scaled,),
      (False,),
      lambda x: (hyperspherical.scaled(x, name=scaled, units=width),),
    ),
    _Part(
      (last,),
      (False,),
      lambda x: (hyperspherical.last(x, name=last, units=config.num_outputs),),
    ),
  ]
  return parts


def _parts(config: Sequential) -> list[_Part]:
  """The parts of a network in the order of the forward pass."""
  blocks, num_conv = config.residual_blocks, len(config.convolutions)
  count = num_conv + len(config.hidden) + 2 * blocks + 1
  names = iter(
    f'{"conv" if i < num_conv else "dense"}_{i}' for i in range(count)
  )
  activate = ACTIVATIONS[config.activation].function
  draw = functools.partial(initializers.make, config.initializer)
  hidden_norms = layers_lib.Norms(config.layer_norm, config.weight_norm)
  norms = layers_lib.Norms(weight=config.weight_norm)

  def one(make, *options, norms=norms, initializer=None, hidden=False):
    """A part of one layer, of the class `make`."""
    name, initializer = next(names), initializer or draw()

    def run(x):
      x = make(*options, norms, name, initializer)(x)
      return (activate(x) if hidden else x,)

    return _Part((name,), (hidden,), run)

  def block(width):
    pair = next(names), next(names)
    run = functools.partial(
      residual_block,
      names=pair,
      units=config.units(EXPANSION * width),
      activate=activate,
      weight_norm=config.weight_norm,
    )
    return _Part(pair, (True, False), run)

  def skips(width):
    own = tuple(next(names) for _ in range(1 + 2 * blocks))
    run = functools.partial(
      multi_skip,
      names=own,
      units=(width, config.units(width)),
      activate=activate,
      norms=hidden_norms,
      draw=draw,
    )
    return _Part(own, (False, *(True, False) * blocks), run)

  dense = functools.partial(one, layers_lib.Dense)
  parts = [
    one(
      layers_lib.Convolution,
      config.units(filters),
      kernel,
      stride,
      config.convolution,
      norms=hidden_norms,
      hidden=True,
    )
    for filters, kernel, stride in config.convolutions
  ]
  parts += [
    dense(config.units(width), norms=hidden_norms, hidden=True)
    for width in config.hidden[: -1 if blocks else None]
  ]
  gains = config.output_gains
  if blocks and config.multi_skip:
    parts.append(skips(config.hidden[-1]))
  elif blocks:
    # Orthogonal weights without an activation keep the variance at a gain of 1.
    gains = [1.0] * len(gains)
    parts.append(dense(config.hidden[-1], initializer=draw([1.0])))
    parts += [block(config.hidden[-1]) for _ in range(blocks)]
    norms = dataclasses.replace(norms, inputs=True)
  parts.append(dense(config.num_outputs, norms=norms, initializer=draw(gains)))
  return parts
