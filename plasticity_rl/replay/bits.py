"""Boolean observations stored as bits, eight to a byte; others as they are."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def stored(observation: Any) -> jax.ShapeDtypeStruct:
  """Shape and dtype of an observation as it is stored.

  Args:
    observation: an array, or its shape and dtype; `[...]`.

  Returns:
    uint8 `[ceil(N / 8)]` for N booleans; the same shape for other dtypes.
  """
  if observation.dtype != np.bool_:
    return jax.ShapeDtypeStruct(observation.shape, observation.dtype)
  return jax.ShapeDtypeStruct((-(-math.prod(observation.shape) // 8),), 'uint8')


def pack(x: Any, observation: Any, xp: Any = jnp) -> Any:
  """Observations `[*leading, *observation.shape]` as they are stored.

  Args:
    x: the observations.
    observation: an observation, or its shape and dtype.
    xp: `jax.numpy`, or `numpy` for arrays on the host.
  """
  if observation.dtype != np.bool_:
    return xp.asarray(x)
  leading = x.shape[: x.ndim - len(observation.shape)]
  flat = xp.reshape(x, (*leading, math.prod(observation.shape)))
  return xp.packbits(flat, axis=-1)


def unpack(x: jax.Array, observation: Any) -> jax.Array:
  """The inverse of `pack`, in jax."""
  if observation.dtype != np.bool_:
    return x
  flat = jnp.unpackbits(x, axis=-1, count=math.prod(observation.shape))
  return flat.reshape(*x.shape[:-1], *observation.shape).astype(bool)
