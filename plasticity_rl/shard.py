"""One device's part of a batch.

Code that uses a `Shard` works on one device and on several: with `UNSHARDED`,
every method is the identity.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp


@dataclasses.dataclass(frozen=True)
class Shard:
  """This device's part of a batch that is divided over `count` devices.

  Attributes:
    axis: name of the mapped axis; None if one device has the whole batch.
    count: devices on that axis.
  """

  axis: str | None = None
  count: int = 1

  def of(self, whole: Any) -> Any:
    """Cuts this device's part, `[B / count, ...]`, from arrays `[B, ...]`."""
    if self.axis is None:
      return whole

    def cut(x: jax.Array) -> jax.Array:
      size = x.shape[0] // self.count
      begin = jax.lax.axis_index(self.axis) * size
      return jax.lax.dynamic_slice_in_dim(x, begin, size)

    return jax.tree.map(cut, whole)

  def gather(self, part: Any) -> Any:
    """Joins the parts of all devices, on every device; the inverse of `of`."""
    if self.axis is None:
      return part
    return jax.tree.map(
      lambda x: jax.lax.all_gather(x, self.axis, tiled=True), part
    )

  def mean(self, tree: Any) -> Any:
    """The mean over devices."""
    return tree if self.axis is None else jax.lax.pmean(tree, self.axis)

  def sum(self, tree: Any) -> Any:
    """The sum over devices."""
    return tree if self.axis is None else jax.lax.psum(tree, self.axis)

  def max(self, tree: Any) -> Any:
    """The maximum over devices."""
    return tree if self.axis is None else jax.lax.pmax(tree, self.axis)

  def key(self, key: jax.Array) -> jax.Array:
    """A different key on every device. The key is consumed."""
    if self.axis is None:
      return key
    return jax.random.fold_in(key, jax.lax.axis_index(self.axis))

  def keys(self, key: jax.Array, size: int) -> jax.Array:
    """Keys for the `size` examples of this device. The key is consumed.

    The key of an example depends on its position in the whole batch, so its
    noise does not depend on the number of devices.
    """
    return self.of(example_keys(key, size * self.count))


UNSHARDED = Shard()


def example_keys(key: jax.Array, count: int) -> jax.Array:
  """A key for each of `count` examples, `[count, 2]`. The key is consumed.

  The key of an example depends only on `key` and on its position in the batch.
  An array of keys is returned unchanged: `Shard.keys` has already made one.
  """
  if key.ndim > 1:
    return key
  return jax.vmap(jax.random.fold_in, in_axes=(None, 0))(key, jnp.arange(count))
