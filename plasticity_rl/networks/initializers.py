"""How the weights and biases of layers are drawn."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp

# `(shape, dtype) -> array`, called inside of a Haiku module.
Initializer = Callable[[Sequence[int], Any], jax.Array]

GAIN = math.sqrt(2)  # Keeps the variance through a ReLU.


def truncated_normal(shape: Sequence[int], dtype: Any) -> jax.Array:
  """Of standard deviation 1 / sqrt(fan_in), as hk.Linear draws."""
  fan_in = math.prod(shape[:-1])
  return hk.initializers.TruncatedNormal(stddev=fan_in**-0.5)(shape, dtype)


def orthogonal(gains: Sequence[float] = (GAIN,)) -> Initializer:
  """Orthogonal columns (rows, where they are fewer) of length `gain`.

  Saxe et al., "Exact Solutions to the Nonlinear Dynamics of Learning in Deep
  Linear Neural Networks", 2014. Filters of a convolution are flattened.

  Args:
    gains: of equal parts of the outputs, each drawn by itself.
  """

  def draw(shape, dtype):
    part = [*shape[:-1], shape[-1] // len(gains)]
    return jnp.concatenate(
      [hk.initializers.Orthogonal(gain)(part, dtype) for gain in gains], -1
    )

  return draw


def uniform(shape: Sequence[int], dtype: Any) -> jax.Array:
  """Uniform within 1 / sqrt(fan_in), as DQN's first code drew its weights."""
  return _within(math.prod(shape[:-1]))(shape, dtype)


def _within(fan_in):
  bound = fan_in**-0.5
  return hk.initializers.RandomUniform(-bound, bound)


def make(name: str, gains: Sequence[float] = (GAIN,)) -> Initializer:
  """By its name in a config; only 'orthogonal' has a gain."""
  if name == 'orthogonal':
    return orthogonal(gains)
  return uniform if name == 'uniform' else truncated_normal


def of_biases(weights: Initializer, fan_in: int) -> Initializer:
  """What goes with weights: of 'uniform' the same again, otherwise zeros."""
  return _within(fan_in) if weights is uniform else jnp.zeros
