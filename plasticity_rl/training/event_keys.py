"""The randomness of events: evaluations, diagnostics and interventions.

Folded from the root of events, the event's name and the step: an event never
moves the training's own randomness, nor that of another event.
"""

import jax

from plasticity_rl.types import Key
from plasticity_rl.types import TrainState
from plasticity_rl.types import name_tag


def event_keys(state: TrainState, name: str) -> Key:
  """A key for each seed and this event, `[S, 2]`."""
  return folded(*root(state, name))


def root(state: TrainState, name: str) -> tuple[Key, jax.Array, jax.Array]:
  """What `folded` is called with: the same types whatever the networks."""
  return state.keys.event, state.counters.step, name_tag(name)


def folded(keys: Key, step: jax.Array, tag: jax.Array) -> Key:
  """Keys `[S, 2]` of an event at a step, of the roots `[S, 2]`."""
  return jax.vmap(
    lambda key: jax.random.fold_in(jax.random.fold_in(key, tag), step)
  )(keys)


def two_folded(keys: Key, step: jax.Array, tag: jax.Array) -> tuple[Key, Key]:
  """Twice `[S, 2]`: `folded`, split in two."""
  keys = jax.vmap(jax.random.split)(folded(keys, step, tag))
  return keys[:, 0], keys[:, 1]
