"""Where arrays are on the devices of one process."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

# For `_put` alone. Tried: `make_array_from_callback` and `device_put`, whose
# Python calls grow with the devices: an update on 8 took 21 % more host time.
from jax._src.lib import xla_client

AXIS = 'devices'


@dataclasses.dataclass(frozen=True)
class Placement:
  """Arrays on the devices of this process.

  Attributes:
    devices: of this process.
  """

  devices: tuple[jax.Device, ...]

  def sharding(self, axis: int | None) -> jax.sharding.NamedSharding:
    """Shares along an axis, one a device; with None, all on all devices."""
    if axis not in self._shardings:
      spec = () if axis is None else (*[None] * axis, AXIS)
      self._shardings[axis] = jax.sharding.NamedSharding(
        jax.sharding.Mesh(np.array(self.devices), (AXIS,)),
        jax.sharding.PartitionSpec(*spec),
      )
    return self._shardings[axis]

  @functools.cached_property
  def _shardings(self):
    return {}

  def place(self, axis: int | None, tree: Any) -> Any:
    """Puts arrays on the devices: shares along `axis`, or all on all.

    An array that is there already, as the update before returned it, stays. A
    traced array is placed by whoever traces.
    """
    sharding = self.sharding(axis)

    def one(x):
      if isinstance(x, np.ndarray | np.generic):
        return _put(x, sharding)
      there = getattr(x, 'sharding', None)  # Python's numbers have none.
      if isinstance(x, jax.core.Tracer) or there == sharding:
        return x
      if axis is None and there is not None and len(there.device_set) == 1:
        return _put(x, sharding)
      return jax.device_put(x, sharding)

    return jax.tree.map(one, tree)

  def place_prefix(self, axes: Any, tree: Any) -> Any:
    """`place`, with an axis for each subtree: a prefix of the tree."""
    return over_axes(self.place, axes, tree)


def over_axes(function: Callable[..., Any], axes: Any, *trees: Any) -> Any:
  """`function(axis, subtree, ...)` for each axis of a prefix of the trees."""
  return jax.tree.map(function, axes, *trees, is_leaf=lambda x: x is None)


def _put(x, sharding):
  """`jax.device_put` of a numpy array, or from one device to all of them."""
  parts = sharding.addressable_devices_indices_map(x.shape)
  if isinstance(x, jax.Array):
    weak, shares = x.weak_type, [x] * len(parts)
  else:
    x = np.asarray(x, jax.dtypes.canonicalize_dtype(x.dtype))
    weak, shares = False, [x[part] for part in parts.values()]
  return xla_client.batched_device_put(
    jax.core.ShapedArray(x.shape, x.dtype, weak_type=weak),
    sharding,
    shares,
    list(parts),
    True,
  )
