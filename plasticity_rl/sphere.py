"""Weights on the unit sphere, and what puts them back there.

In the networks of `networks.hyperspherical` the incoming weights of each unit
have length 1. The layers do not divide by it; so whatever changes weights has
to put them back: the optimizer after every update (`learner.on_sphere`), and
interventions (`interventions.on_sphere`).
"""

from typing import Any

import jax
import jax.numpy as jnp

WEIGHT = 'w'
INFER = 'infer'  # Its auxiliary heads are no part of the function.
SMALLEST = 1e-8  # What a length is at least, where it divides.


def unit(x: jax.Array, axis: int = -1) -> jax.Array:
  """x / max(||x||, 1e-8) along an axis; zeros stay zeros."""
  squares = jnp.square(x).sum(axis, keepdims=True)
  return x * jax.lax.rsqrt(jnp.maximum(squares, SMALLEST**2))


def is_on_sphere(path: tuple[Any, ...]) -> bool:
  """Whether a leaf of such a network's parameters is of unit columns.

  Args:
    path: of the leaf, keys of `jax.tree_util`.
  """
  keys = [getattr(key, 'key', None) for key in path]
  return keys[-1:] == [WEIGHT] and INFER not in keys


def project(w: jax.Array) -> jax.Array:
  """Weights `[..., inputs, units]` with the columns of length 1."""
  return unit(w, axis=-2)
