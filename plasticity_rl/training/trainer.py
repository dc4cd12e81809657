"""What a run asks of its data, be they on the device or on the host."""

import pathlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

import jax

from plasticity_rl.types import Key
from plasticity_rl.types import TrainState
from plasticity_rl.types import Transition

Metrics = dict[str, jax.Array]
Segment = Callable[[TrainState], tuple[TrainState, Metrics]]


# Everything has a leading axis of seeds, except what all seeds share.
AXES = TrainState(
  nets=0, replay=0, env=0, keys=0, counters=None, interventions=0
)

# Nothing of it: every host has the same.
REPLICATED_AXES = TrainState(*[None] * len(TrainState._fields))


class Snapshot(Protocol):
  """What stays as it was while the original goes on changing."""

  def save(self, folder: pathlib.Path) -> None:
    """Writes itself into a folder, which it makes."""


class Trainer(NamedTuple):
  """Training between events, over the whole batch of seeds.

  All that happens at events needs networks, keys, counters and a batch of
  data; `without_data` leaves those of a state. The rest of a state (replay,
  environments) is the loop's own business.

  Attributes:
    steps_per_row: steps that the loop makes at once, one an environment.
    frames_per_step: frames of a step, by the environment's action repeat.
    return_range: lowest and highest return to expect.
    batch: shapes of the batch of an update, of one seed.
    metrics: `() -> names` of what segments and evaluations report.
    init: `() -> state`, without interventions' own states.
    shapes: `() -> state`, shapes and dtypes of what `init` makes.
    segment: `(state) -> (state, metrics)`; the state is donated.
    segment_later: the same at the replay ratio of later, or None.
    prime: `(state) -> state`, a chunk of updates; the state is donated.
    evaluate: `(keys [S, 2], state) -> metrics [S]`. The keys are consumed.
    sample: `(keys [S, 2], state) -> batch [S, P, ...]`, a probe batch. The
      keys are consumed.
    snapshots: `(state) -> snapshots by name`, of what is no array.
    portable: `(state) -> state`, as it is saved, on whatever devices it is; of
      many hosts that share the data, this one's part.
    load: `(state of numpy arrays, folder) -> state`, from a checkpoint, with
      what was written by `snapshots` in `folder`. The arrays are those of all
      hosts that share the data; they end up where a segment leaves them.
    replicate: `(state, count) -> state`, the data of one seed so many times.
    host_axes: the axes of a portable state that hosts have parts of, if they
      share the data.
  """

  steps_per_row: int
  frames_per_step: int
  return_range: tuple[float, float]
  batch: Transition
  metrics: Callable[[], set[str]]
  init: Callable[[], TrainState]
  shapes: Callable[[], TrainState]
  segment: Segment
  segment_later: Segment | None
  prime: Callable[[TrainState], TrainState]
  evaluate: Callable[[Key, TrainState], Metrics]
  sample: Callable[[Key, TrainState], Transition]
  snapshots: Callable[[TrainState], Mapping[str, Snapshot]]
  portable: Callable[[TrainState], TrainState]
  load: Callable[[Any, pathlib.Path], TrainState]
  replicate: Callable[[TrainState, int], TrainState]
  host_axes: TrainState = REPLICATED_AXES


def without_data(state: TrainState) -> TrainState:
  """The state without its data: what events compute with."""
  return state._replace(replay=(), env=())


def with_data(new: TrainState, old: TrainState) -> TrainState:
  """A state without its data with the data of another one."""
  return new._replace(replay=old.replay, env=old.env)
