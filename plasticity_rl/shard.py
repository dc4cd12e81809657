"""One device's share of a batch, by the name of the axis that it is on.

Whatever is written against a `Shard` is written once: `UNSHARDED` makes each of
its methods the identity, so that a program for one device is what it was.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp


@dataclasses.dataclass(frozen=True)
class Shard:
  """The share of whoever runs this, of a batch that `count` devices share.

  Attributes:
    axis: name of the mapped axis; None where one device has all.
    count: devices on it.
  """

  axis: str | None = None
  count: int = 1

  def of(self, whole: Any) -> Any:
    """This share of arrays `[B, ...]` that all devices have: `[B / count]`."""
    if self.axis is None:
      return whole

    def cut(x: jax.Array) -> jax.Array:
      size = x.shape[0] // self.count
      begin = jax.lax.axis_index(self.axis) * size
      return jax.lax.dynamic_slice_in_dim(x, begin, size)

    return jax.tree.map(cut, whole)

  def gather(self, part: Any) -> Any:
    """The whole of which `of` would give these shares, on every device."""
    if self.axis is None:
      return part
    return jax.tree.map(
      lambda x: jax.lax.all_gather(x, self.axis, tiled=True), part
    )

  def mean(self, tree: Any) -> Any:
    """The mean over devices: of means of shares, the mean of the whole."""
    return tree if self.axis is None else jax.lax.pmean(tree, self.axis)

  def sum(self, tree: Any) -> Any:
    """The sum over devices."""
    return tree if self.axis is None else jax.lax.psum(tree, self.axis)

  def key(self, key: jax.Array) -> jax.Array:
    """A key of this device's own. The key is consumed."""
    if self.axis is None:
      return key
    return jax.random.fold_in(key, jax.lax.axis_index(self.axis))

  def keys(self, key: jax.Array, size: int) -> jax.Array:
    """This share of keys for the `size * count` examples of a whole batch.

    The key is consumed. An example's noise depends on its place in the whole
    batch, so that it does not depend on how many devices there are.
    """
    return self.of(example_keys(key, size * self.count))


UNSHARDED = Shard()


def example_keys(key: jax.Array, count: int) -> jax.Array:
  """A key for each of `count` examples, `[count, 2]`. The key is consumed.

  Whatever noise an example gets depends on the key and its place in the batch,
  and on nothing else. Keys that are many already are returned as they are:
  `Shard.keys` gives each device its slice of them.
  """
  if key.ndim > 1:
    return key
  return jax.vmap(jax.random.fold_in, in_axes=(None, 0))(key, jnp.arange(count))
