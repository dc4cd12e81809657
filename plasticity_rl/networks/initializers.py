"""Initializers of weights and biases."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp

# `(shape, dtype) -> array`, called inside a Haiku module.
Initializer = Callable[[Sequence[int], Any], jax.Array]

GAIN = math.sqrt(2)  # It keeps the variance of features through a ReLU.


def truncated_normal(shape: Sequence[int], dtype: Any) -> jax.Array:
  """Standard deviation 1 / sqrt(fan_in), the default of `hk.Linear`."""
  fan_in = math.prod(shape[:-1])
  return hk.initializers.TruncatedNormal(stddev=fan_in**-0.5)(shape, dtype)


def he_normal(shape: Sequence[int], dtype: Any) -> jax.Array:
  """Truncated normal, standard deviation sqrt(2 / fan_in) after truncation.

  He et al., "Delving Deep into Rectifiers", 2015.
  """
  return hk.initializers.VarianceScaling(2.0, 'fan_in', 'truncated_normal')(
    shape, dtype
  )


def orthogonal(gains: Sequence[float] = (GAIN,)) -> Initializer:
  """Orthogonal columns of length `gain`, or rows if there are fewer rows.

  Saxe et al., "Exact Solutions to the Nonlinear Dynamics of Learning in Deep
  Linear Neural Networks", 2014. Filters of a convolution are flattened.

  Args:
    gains: one gain for each of several equal parts of the outputs, which are
      drawn independently.
  """

  def draw(shape, dtype):
    part = [*shape[:-1], shape[-1] // len(gains)]
    return jnp.concatenate(
      [hk.initializers.Orthogonal(gain)(part, dtype) for gain in gains], -1
    )

  return draw


def uniform(shape: Sequence[int], dtype: Any) -> jax.Array:
  """Uniform within +-1 / sqrt(fan_in), as in the first code of DQN."""
  return _within(math.prod(shape[:-1]))(shape, dtype)


def _within(fan_in):
  bound = fan_in**-0.5
  return hk.initializers.RandomUniform(-bound, bound)


def make(name: str, gains: Sequence[float] = (GAIN,)) -> Initializer:
  """Returns an initializer by its name; only 'orthogonal' has gains."""
  if name == 'orthogonal':
    return orthogonal(gains)
  return uniform if name == 'uniform' else truncated_normal


def bias_initializer(weights: Initializer, fan_in: int) -> Initializer:
  """The initializer of biases: uniform if weights are uniform, else zeros."""
  return _within(fan_in) if weights is uniform else jnp.zeros
