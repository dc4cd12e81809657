"""Compiling a program before it is called.

A program is a jitted function that can be called with shapes in place of
arrays: it then computes nothing, but compiles itself for them, and returns the
shapes of its results. So whatever calls programs one after the other can be
rehearsed with shapes. Called with arrays it is the jitted function, which finds
what was compiled: ahead or not, the same program runs.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np


def shapes_of(tree: Any) -> Any:
  """Arrays as a program tells them apart: shape, type, and where they are."""
  def one(x):
    if not isinstance(x, jax.Array):
      return jax.ShapeDtypeStruct(np.shape(x), np.asarray(x).dtype)
    return jax.ShapeDtypeStruct(
        x.shape, x.dtype, weak_type=x.weak_type,
        sharding=x.sharding if x.committed else None,
    )

  return jax.tree.map(one, tree)


def are_shapes(tree: Any) -> bool:
  """Whether shapes are in a tree."""
  # Each call of a program asks; this calls nothing for each array.
  return jax.ShapeDtypeStruct in set(map(type, jax.tree.leaves(tree)))


def are_bound(shapes: Any) -> bool:
  """Whether any are of what is bound to devices, rather than movable."""
  return any(
      getattr(x, 'sharding', None) is not None for x in jax.tree.leaves(shapes)
  )


def program(jitted: Callable[..., Any]) -> Callable[..., Any]:
  """A jitted function as one that takes shapes too."""
  @functools.wraps(jitted, updated=())
  def call(*args):
    return _compile(jitted, args) if are_shapes(args) else jitted(*args)

  call.lower = jitted.lower
  return call


def _compile(jitted, args):
  """Compiles; the shapes of results, and where they will be."""
  shardings = jitted.lower(*args).compile().output_shardings
  results = jax.eval_shape(jitted, *args)
  # What is not bound to a device makes what is not, on a single one.
  bound = are_bound(args)

  def one(x, sharding):
    if not bound and len(sharding.device_set) == 1:
      sharding = None
    return jax.ShapeDtypeStruct(
        x.shape, x.dtype, weak_type=x.weak_type, sharding=sharding
    )

  return jax.tree.map(one, results, shardings)
