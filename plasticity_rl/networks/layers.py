"""Layers as Haiku modules, with optional normalisation.

The parameters of normalisation are in the same module as `w` and `b`: `g` of
weight normalisation, `scale` and `offset` of layer normalisation, each
`[units]`; `input_scale` and `input_offset`, `[inputs]`, where the inputs are
normalised. So an intervention that reinitialises a layer reinitialises them
too.

A layer computes in the dtype of its weights. Normalisation computes at least in
float32.
"""

import dataclasses
import math

import haiku as hk
import jax
import jax.numpy as jnp

from plasticity_rl import weight_norm
from plasticity_rl.layers import INPUT_NORM
from plasticity_rl.networks.convolution import convolve
from plasticity_rl.networks.initializers import Initializer
from plasticity_rl.networks.initializers import bias_initializer
from plasticity_rl.networks.initializers import truncated_normal
from plasticity_rl.networks.layer_norm import layer_norm
from plasticity_rl.networks.product import product


@dataclasses.dataclass(frozen=True)
class Norms:
  """Normalisations of a layer; see `layer_norm` and `weight_norm`.

  Attributes:
    layer: whether it has layer normalisation.
    weight: whether it has weight normalisation.
    inputs: whether its inputs have layer normalisation; only dense layers.
  """

  layer: bool = False
  weight: bool = False
  inputs: bool = False


class _Layer(hk.Module):
  """Creates `w`, `b` and the parameters of normalisation."""

  def __init__(
    self,
    units: int,
    norms: Norms,
    name: str,
    initializer: Initializer = truncated_normal,
  ):
    super().__init__(name=name)
    self._initializer = initializer
    self._units = units
    self._norms = norms

  def _weights(self, *shape: int) -> tuple[jax.Array, jax.Array]:
    """The weights W, `[*shape, units]`, and biases b, `[units]`."""
    w = hk.get_parameter('w', [*shape, self._units], init=self._initializer)
    b = hk.get_parameter(
      'b',
      [self._units],
      init=bias_initializer(self._initializer, math.prod(shape)),
    )
    if self._norms.weight:
      g = hk.get_parameter(
        'g',
        [self._units],
        init=lambda *_: weight_norm.norms(w),
      )
      w = weight_norm.weight_normalization(*_at_least_float32(w, g)).astype(
        w.dtype
      )
    return w, b

  def _normalize(self, x: jax.Array) -> jax.Array:
    return _layer_norm(x, 'scale', 'offset') if self._norms.layer else x


class Dense(_Layer):
  """A linear layer. It flattens its input, which may be an image."""

  def __call__(self, x: jax.Array) -> jax.Array:
    x = x.reshape(x.shape[0], -1)
    if self._norms.inputs:
      x = _layer_norm(x, *INPUT_NORM)
    w, b = self._weights(x.shape[1])
    return self._normalize(product(x.astype(w.dtype), w) + b)


class Convolution(_Layer):
  """A VALID convolution with `units` filters."""

  def __init__(
    self,
    filters: int,
    kernel: int,
    stride: int,
    form: str,
    norms: Norms,
    name: str,
    initializer: Initializer = truncated_normal,
  ):
    super().__init__(filters, norms, name, initializer)
    self._kernel = kernel
    self._stride = stride
    self._form = form

  def __call__(self, x: jax.Array) -> jax.Array:
    w, b = self._weights(self._kernel, self._kernel, x.shape[-1])
    x = x.astype(w.dtype)
    return self._normalize(convolve(x, w, self._stride, self._form) + b)


def _layer_norm(x, scale_name, offset_name):
  """Layer normalisation with the parameters of these names."""
  scale = hk.get_parameter(scale_name, x.shape[-1:], init=jnp.ones)
  offset = hk.get_parameter(offset_name, x.shape[-1:], init=jnp.zeros)
  return layer_norm(*_at_least_float32(x, scale, offset)).astype(x.dtype)


def _at_least_float32(*arrays):
  return (x.astype(jnp.promote_types(x.dtype, jnp.float32)) for x in arrays)
