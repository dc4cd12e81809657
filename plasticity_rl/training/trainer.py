"""What a run asks of its data, be they on the device or on the host."""

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


class Trainer(Replaceable, abc.ABC):
  """Training between events, over the whole batch of seeds.

  All that happens at events needs networks, keys, counters and a batch of
  data; `without_data` leaves those of a state. The rest of a state (replay,
  environments) is the trainer's own business.

  Attributes:
    steps_per_row: steps that the loop makes at once, one an environment.
    frames_per_step: frames of a step, by the environment's action repeat.
    return_range: lowest and highest return to expect.
    batch: shapes of the batch of an update, of one seed.
    segment: `(state) -> (state, metrics)`; the state is donated.
    segment_later: the same at the replay ratio of later, or None.
    prime: `(state) -> state`, a chunk of updates; the state is donated.
    host_axes: the axes of a portable state that hosts have parts of, if they
      share the data.
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
    """Names of what segments and evaluations report."""

  @abc.abstractmethod
  def init(self) -> TrainState:
    """The state before the first step, without intervention states."""

  @abc.abstractmethod
  def shapes(self) -> TrainState:
    """Shapes and dtypes of what `init` makes."""

  @abc.abstractmethod
  def evaluate(self, keys: Key, state: TrainState) -> Metrics:
    """Metrics `[S]`. The keys `[S, 2]` are consumed."""

  @abc.abstractmethod
  def sample(self, keys: Key, state: TrainState) -> Transition:
    """A probe batch `[S, P, ...]`. The keys `[S, 2]` are consumed."""

  @abc.abstractmethod
  def snapshots(self, state: TrainState) -> Mapping[str, Snapshot]:
    """By name, of what is no array."""

  @abc.abstractmethod
  def portable(self, state: TrainState) -> TrainState:
    """The state as it is saved, on whatever devices it is.

    Of many hosts that share the data, this one's part.
    """

  @abc.abstractmethod
  def load(self, state: Any, folder: pathlib.Path) -> TrainState:
    """The state from a checkpoint.

    Args:
      state: numpy arrays, of all hosts that share the data; they end up where
        a segment leaves them.
      folder: with what was written by `snapshots`.
    """

  @abc.abstractmethod
  def replicate(self, state: TrainState, count: int) -> TrainState:
    """The state with the data of one seed so many times."""


def without_data(state: TrainState) -> TrainState:
  """The state without its data: what events compute with."""
  return state._replace(replay=(), env=())


def with_data(new: TrainState, old: TrainState) -> TrainState:
  """A state without its data with the data of another one."""
  return new._replace(replay=old.replay, env=old.env)
