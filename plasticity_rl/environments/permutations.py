"""Permutations, and the way from one to another."""

import jax
import jax.numpy as jnp

from plasticity_rl.types import Key


def draw(key: Key, size: int) -> jax.Array:
  """A uniform permutation, int32 `[size]`. The key is consumed."""
  return jax.random.permutation(key, size).astype(jnp.int32)


def between(before: jax.Array, after: jax.Array, count: jax.Array) -> jax.Array:
  """The permutation after `count` exchanges on the way from one to another.

  Exchange i puts `after[i]` at place i, and what was there to the place from
  which `after[i]` came. So each exchange moves two elements, the first `count`
  places are those of `after`, and `before.size` exchanges complete the way.

  Args:
    before: permutation, int32 `[N]`.
    after: permutation, int32 `[N]`.
    count: exchanges made, `[]` within 0 and N.

  Returns:
    A permutation, int32 `[N]`.
  """
  size = before.shape[0]
  places = jnp.arange(size, dtype=jnp.int32)
  # Place i's element goes to place to[i] in the end. It has been moved away if
  # that is one of the first places; then place i has what was at to[i], and so
  # on. Doubling the jumps follows all chains to their ends.
  to = jnp.zeros_like(places).at[after].set(places)[before]
  source = jnp.where(to < count, to, places)
  for _ in range(max(size - 1, 1).bit_length()):
    source = source[source]
  return jnp.where(places < count, after, before[source])
