"""Layers as Haiku modules: weights, and what normalises them.

What the norms learn lies beside the layer's `w` and `b`, so that whatever draws
a layer again draws it too: `g` of weight normalisation, `scale` and `offset` of
layer normalisation, each `[units]`.

A layer computes in the type of its weights; norms do in float32 at least.
"""

import dataclasses
import math

import haiku as hk
import jax
import jax.numpy as jnp

from plasticity_rl import weight_norm
from plasticity_rl.networks.convolution import convolve
from plasticity_rl.networks.initializers import Initializer
from plasticity_rl.networks.initializers import of_biases
from plasticity_rl.networks.initializers import truncated_normal
from plasticity_rl.networks.layer_norm import layer_norm


@dataclasses.dataclass(frozen=True)
class Norms:
  """Which normalisations a layer has; see `layer_norm` and `weight_norm`."""

  layer: bool = False
  weight: bool = False


class _Layer(hk.Module):
  """Parameters `w`, `b`, and those of the norms, under the layer's name."""

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
    """W, `[*shape, units]`, and b, `[units]`."""
    w = hk.get_parameter('w', [*shape, self._units], init=self._initializer)
    b = hk.get_parameter(
      'b',
      [self._units],
      init=of_biases(self._initializer, math.prod(shape)),
    )
    if self._norms.weight:
      g = hk.get_parameter(
        'g',
        [self._units],
        init=lambda *_: weight_norm.norms(w),
      )
      w = weight_norm.weight_normalization(*_exact(w, g)).astype(w.dtype)
    return w, b

  def _normalize(self, x: jax.Array) -> jax.Array:
    if not self._norms.layer:
      return x
    scale = hk.get_parameter('scale', [self._units], init=jnp.ones)
    offset = hk.get_parameter('offset', [self._units], init=jnp.zeros)
    return layer_norm(*_exact(x, scale, offset)).astype(x.dtype)


class Dense(_Layer):
  """A linear layer on what may be an image, which it flattens."""

  def __call__(self, x: jax.Array) -> jax.Array:
    x = x.reshape(x.shape[0], -1)
    w, b = self._weights(x.shape[1])
    return self._normalize(x.astype(w.dtype) @ w + b)


class Convolution(_Layer):
  """A VALID convolution of `units` filters."""

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


def _exact(*arrays):
  return (x.astype(jnp.promote_types(x.dtype, jnp.float32)) for x in arrays)
