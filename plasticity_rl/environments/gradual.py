"""A task that turns into the next one little by little.

An episode keeps the task with which it began, so that its transitions are those
of one problem; the next episode begins with what the task has become.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from plasticity_rl.types import Key


class Change(NamedTuple):
  """From one task to another, each any tree of arrays.

  Attributes:
    before: the task at the switch.
    after: the task that it will have become at the next switch.
    steps: int32 `[]`, steps since the switch.
  """

  before: Any
  after: Any
  steps: jax.Array


def begin(key: Key, draw: Callable[[Key], Any]) -> Change:
  """The first change, between two tasks that are drawn. The key is consumed."""
  before, after = map(draw, jax.random.split(key))
  return Change(before, after, jnp.array(0, jnp.int32))


def switch(key: Key, change: Change, draw: Callable[[Key], Any]) -> Change:
  """The change that follows at a switch. The key is consumed."""
  return Change(change.after, draw(key), jnp.array(0, jnp.int32))


def share(change: Change, length: int) -> jax.Array:
  """The share of the change that is done, float32 `[]` within 0 and 1.

  Args:
    change: the change.
    length: steps from a switch to the next one, at least 1.
  """
  return jnp.minimum(change.steps / length, 1).astype(jnp.float32)


def step(change: Change) -> Change:
  """The change one step later."""
  return change._replace(steps=change.steps + 1)
