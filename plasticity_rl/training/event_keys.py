"""Random keys of events: evaluations, diagnostics and interventions.

The key of an event is folded from the event key of the run, the name of the
event and the step. So an event never changes the random numbers of training or
of another event.
"""

import jax

from plasticity_rl.types import Key
from plasticity_rl.types import TrainState
from plasticity_rl.types import name_tag


def event_keys(state: TrainState, name: str) -> Key:
  """Keys of an event, one for each seed, `[S, 2]`."""
  return fold(*fold_arguments(state, name))


def fold_arguments(
  state: TrainState, name: str
) -> tuple[Key, jax.Array, jax.Array]:
  """The arguments of `fold`. They do not depend on the networks' structure."""
  return state.keys.event, state.counters.step, name_tag(name)


def fold(keys: Key, step: jax.Array, tag: jax.Array) -> Key:
  """Folds a step and an event's tag into keys, `[S, 2]` to `[S, 2]`."""
  return jax.vmap(
    lambda key: jax.random.fold_in(jax.random.fold_in(key, tag), step)
  )(keys)


def fold_and_split(
  keys: Key, step: jax.Array, tag: jax.Array
) -> tuple[Key, Key]:
  """As `fold`, and splits each key in two: twice `[S, 2]`."""
  keys = jax.vmap(jax.random.split)(fold(keys, step, tag))
  return keys[:, 0], keys[:, 1]
