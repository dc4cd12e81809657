"""The interface of trainers: with environments on the device or the host."""

import abc
import pathlib
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import jax

from plasticity_rl.training.replaceable import Replaceable
from plasticity_rl.types import Key
from plasticity_rl.types import TrainState
from plasticity_rl.types import Transition

Metrics = dict[str, jax.Array]
Segment = Callable[[TrainState], tuple[TrainState, Metrics]]


# All leaves have a leading axis of seeds, except the counters.
AXES = TrainState(
  nets=0, replay=0, env=0, keys=0, counters=None, interventions=0
)

# No part of the state is divided over hosts.
REPLICATED_AXES = TrainState(*[None] * len(TrainState._fields))


class Snapshot(Protocol):
  """A copy of mutable data, to be saved while training continues."""

  def save(self, folder: pathlib.Path) -> None:
    """Creates a folder and saves the data there."""


class Trainer(Replaceable, abc.ABC):
  """Training between events, for the whole batch of seeds.

  Only the trainer uses the data of a state (replay and environments). Events
  use networks, keys, counters (see `without_data`) and a batch from `sample`.

  Attributes:
    steps_per_row: agent decisions in a row, one for each environment.
    frames_per_step: frames in a step, the action repeat of the environment.
    return_range: lowest and highest return to expect of what is evaluated, in
      episodes that evaluation.max_steps may cut.
    batch: shapes of the batch of one update of one seed.
    segment: `(state) -> (state, metrics)`; the state is donated.
    segment_later: as `segment`, with the later replay ratio; None if there is
      none.
    prime: `(state) -> state`, one chunk of updates of heavy priming; the state
      is donated.
    host_axes: for each part of the state, in the form of a checkpoint, the axis
      that is divided over hosts that share batches.
  """

  steps_per_row: int
  frames_per_step: int
  return_range: tuple[float, float]
  batch: Transition
  segment: Segment
  segment_later: Segment | None
  prime: Callable[[TrainState], TrainState]
  host_axes: TrainState

  @abc.abstractmethod
  def metrics(self) -> set[str]:
    """Names of the metrics of segments and evaluations."""

  @abc.abstractmethod
  def init(self) -> TrainState:
    """Returns the state before the first step, without interventions."""

  @abc.abstractmethod
  def shapes(self) -> TrainState:
    """Shapes and dtypes of the result of `init`."""

  def shapes_as_saved(
    self, shapes: TrainState, leaves: Mapping[str, Any]
  ) -> TrainState:
    """Shapes of a checkpoint, which an earlier version may have saved.

    Args:
      shapes: of the state of all hosts.
      leaves: shape and dtype of each leaf of the checkpoint, by its path.
    """
    del leaves
    return shapes

  @abc.abstractmethod
  def evaluate(self, keys: Key, state: TrainState) -> Metrics:
    """Evaluates; returns metrics `[S]`. The keys `[S, 2]` are consumed."""

  @abc.abstractmethod
  def sample(self, keys: Key, state: TrainState) -> Transition:
    """Samples a probe batch, `[S, P, ...]`. The keys `[S, 2]` are consumed."""

  @abc.abstractmethod
  def snapshots(self, state: TrainState) -> Mapping[str, Snapshot]:
    """Snapshots of data that are not arrays of the state, by name."""

  @abc.abstractmethod
  def to_checkpoint(self, state: TrainState) -> TrainState:
    """The state in the form of a checkpoint, for any number of devices.

    If hosts share batches, it holds only the data of this host.
    """

  @abc.abstractmethod
  def load(self, state: Any, folder: pathlib.Path) -> TrainState:
    """Loads a checkpoint onto the devices.

    Args:
      state: NumPy arrays, with the data of all hosts that share batches, in
        the form of `shapes_as_saved`.
      folder: the folder with the saved `snapshots`.

    Returns:
      The state, on the same devices as after a segment.

    Raises:
      UserError: a replay was saved with other settings.
    """

  @abc.abstractmethod
  def replicate(self, state: TrainState, count: int) -> TrainState:
    """Copies the data of one seed `count` times."""


def without_data(state: TrainState) -> TrainState:
  """The state without replay and environments, for events."""
  return state._replace(replay=(), env=())


def with_data(new: TrainState, old: TrainState) -> TrainState:
  """The state `new` with the replay and environments of `old`."""
  return new._replace(replay=old.replay, env=old.env)
