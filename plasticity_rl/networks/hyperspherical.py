"""The layers of SimBaV2, whose weights and features lie on the unit sphere."""

import math
from collections.abc import Callable
from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp

from plasticity_rl import sphere
from plasticity_rl.methods.fire import polar
from plasticity_rl.networks.product import product

EXPANSION = 4  # Units of the inner layer for each of the block's features.
SHIFT = 3.0  # c: the input that keeps the length of an observation.
ITERATIONS = 30


def _columns(shape: Any, dtype: Any) -> jax.Array:
  """Orthogonal, with columns of length 1 even where there are more of them.

  The isometry nearest to a normal draw is as random as any. It is found by
  products: of `hk.initializers.Orthogonal` several in one program, with an axis
  of seeds, can wait for each other for ever on a CPU (jaxlib 0.10.2).
  """
  draw = jax.random.normal(hk.next_rng_key(), shape, dtype)
  return sphere.project(polar(draw, ITERATIONS))


class _Spherical(hk.Module):
  """s * (x W) + b with columns of W of length 1; s and b if they are wanted."""

  def __init__(
    self, units: int, name: str, *, scale: float = 0.0, bias: bool = False
  ):
    super().__init__(name=name)
    self._units, self._scale, self._bias = units, scale, bias

  def __call__(self, x: jax.Array) -> jax.Array:
    units = self._units
    w = hk.get_parameter(sphere.WEIGHT, [x.shape[-1], units], init=_columns)
    x = product(x.astype(w.dtype), w)
    if self._scale:
      begin = hk.initializers.Constant(self._scale)
      x = x * hk.get_parameter('scale', [units], init=begin)
    if self._bias:
      x = x + hk.get_parameter('b', [units], init=jnp.zeros)
    return x


def embed(x: jax.Array, *, name: str, units: int) -> jax.Array:
  """x_0 = unit(s * (unit([x, 3]) W)), `[B, F]`.

  unit(x) = x / ||x||, W has columns of length 1 and no bias, and s is a learned
  vector that begins at sqrt(2 / F). Without the constant 3, observations that
  differ in length alone would be the same.

  Args:
    x: observations, `[B, ...]`, flattened. They should be normalised by their
      running mean and variance (`environment.normalize_observations`).
    name: of the Haiku module.
    units: F.
  """
  x = x.reshape(x.shape[0], -1)
  x = jnp.concatenate([x, jnp.full_like(x[:, :1], SHIFT)], -1)
  scale = math.sqrt(2 / units)
  return sphere.unit(_Spherical(units, name, scale=scale)(sphere.unit(x)))


def spherical_block(
  x: jax.Array,
  *,
  names: tuple[str, str],
  units: int,
  activate: Callable[[jax.Array], jax.Array],
  blocks: int,
) -> tuple[jax.Array, jax.Array]:
  """unit(x + a * (unit(relu(s * (x W_1)) W_2) - x)), the block of SimBaV2.

  Lee et al., "Hyperspherical Normalization for Scalable Deep Reinforcement
  Learning", 2025. unit(x) = x / ||x||. Features are unit vectors, and so are
  the incoming weights of every unit (columns of W), in all layers: the
  optimizer puts them back on the sphere after each update, and interventions
  after what they change. W_1 has 4 units for each feature; s and a are learned
  vectors that begin at sqrt(2 / F) / 2 and 1 / (blocks + 1), the latter stored
  as a number of size 1 / sqrt(F), so that Adam changes it slowly.

  A network of such blocks (`hyperspherical`) begins with `embed`, and ends with
  s * (x W), no activation, and a last layer with a bias. The paper's agents
  also normalise observations (`environment.normalize_observations`), learn the
  distribution of returns (`agent.bins`) of scaled rewards
  (`environment.scale_rewards`), and let Adam's rate fall from 1e-4 to half.

  We could read their code as others have published it, not the paper.
  Deviations: theirs has one critic where episodes only end by time, an actor of
  width 128 with one block beside critics of 512 with two, and layers of its own
  for mean and deviation of actions; here all networks of an agent have the same
  width and number of blocks, and one pair of last layers. Their rate falls to
  half, ours (`optimizer.decay_updates`) to zero.

  Args:
    x: features of length 1, `[B, F]`.
    names: of the Haiku modules of W_1 and W_2.
    units: of W_1.
    activate: the activation of the network; a ReLU in the paper.
    blocks: of the network.

  Returns:
    The features of the units of W_1, and those of the block, `[B, F]`.
  """
  features = x.shape[-1]
  scale = math.sqrt(2 / features) / math.sqrt(EXPANSION)
  h = activate(_Spherical(units, names[0], scale=scale)(x))
  # They may all be zero, which has no direction.
  return h, _Towards(features, names[1], blocks)(h + sphere.SMALLEST, x)


class _Towards(_Spherical):
  """unit(x + a * (unit(h W) - x)), with a in the layer of W."""

  def __init__(self, units: int, name: str, blocks: int):
    super().__init__(units, name)
    self._blocks = blocks

  def __call__(self, h: jax.Array, x: jax.Array) -> jax.Array:
    size = 1 / math.sqrt(self._units)
    step = hk.get_parameter(
      'step', [self._units], init=hk.initializers.Constant(size)
    )
    a = step * (1 / (self._blocks + 1) / size)
    return sphere.unit(x + a * (sphere.unit(super().__call__(h)) - x))


def scaled(x: jax.Array, *, name: str, units: int) -> jax.Array:
  """s * (x W), the layer before the last, `[B, F]`; s begins at sqrt(2 / F)."""
  return _Spherical(units, name, scale=math.sqrt(2 / units))(x)


def last(x: jax.Array, *, name: str, units: int) -> jax.Array:
  """x W + b, `[B, units]`."""
  return _Spherical(units, name, bias=True)(x)
