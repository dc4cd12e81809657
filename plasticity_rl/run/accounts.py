"""Counts wall-clock time and FLOPs of a run, and writes ledger.json."""

import contextlib
import dataclasses
import json
import pathlib
import time
from collections.abc import Iterator, MutableMapping
from typing import Any

import jax.monitoring
import numpy as np

from plasticity_rl.run import flops
from plasticity_rl.run import run_folder
from plasticity_rl.training.experiment import Experiment
from plasticity_rl.types import TrainState

LEDGER = 'ledger.json'


@dataclasses.dataclass
class Totals:
  """Seconds and FLOPs of a run so far; saved with every checkpoint."""

  seconds: float = 0.0
  compile_seconds: float = 0.0
  act_flops: float = 0.0
  update_flops: float = 0.0
  evaluation_flops: float = 0.0


class Accounts:
  """Counts seconds and FLOPs.

  FLOPs are the numbers of decisions and updates times the cost of each. The
  costs change with the structure of the state.
  """

  def __init__(self, experiment: Experiment, state: TrainState, totals: Totals):
    self._experiment = experiment
    self._totals = totals
    self._updates = int(state.counters.updates)
    self._begun = time.monotonic()
    self.set_costs(state)

  def set_costs(self, state: TrainState) -> None:
    """Computes the costs of a state; later counts use these costs."""
    self._costs = flops.costs(
      self._experiment.agent, self._experiment.trainer.batch, state
    )

  @contextlib.contextmanager
  def running(self) -> Iterator[None]:
    """Counts the time in this context, and the time spent compiling."""

    def listener(event, duration, **kwargs):
      del kwargs
      if event.endswith('backend_compile_duration'):
        self._totals.compile_seconds += duration

    jax.monitoring.register_event_duration_secs_listener(listener)
    self._begun = time.monotonic() - self._totals.seconds
    try:
      yield
    finally:
      jax.monitoring.unregister_event_duration_listener(listener)

  @property
  def updates(self) -> int:
    """Updates counted so far."""
    return self._updates

  def update_seconds(self) -> float:
    """Brings the wall-clock time up to date, and returns it."""
    self._totals.seconds = time.monotonic() - self._begun
    return self._totals.seconds

  def add_priming(self, updates: int) -> None:
    """Counts updates of heavy priming."""
    self._updates += updates
    self._totals.update_flops += updates * self._costs.update

  def add_segment(
    self, steps: int, metrics: MutableMapping[str, np.ndarray]
  ) -> int:
    """Counts the steps and updates since the last call.

    Args:
      steps: environment steps made.
      metrics: of the segment; its counter `updates` is removed.

    Returns:
      The number of updates so far.
    """
    updates = int(metrics.pop('updates', np.array([self._updates]))[0])
    totals = self._totals
    totals.act_flops += steps * self._costs.act
    totals.update_flops += (updates - self._updates) * self._costs.update
    if 'eval/steps' in metrics:
      totals.evaluation_flops += (
        float(metrics['eval/steps'].mean()) * self._costs.act
      )
    self._updates = updates
    return updates

  def save(self) -> dict[str, float]:
    """The totals as arguments of `Totals`, for JSON."""
    return dataclasses.asdict(self._totals)

  def write_ledger(self, folder: pathlib.Path, state: TrainState) -> None:
    """Writes the totals and the number of parameters to ledger.json."""
    totals = self.save()
    ledger: dict[str, Any] = {
      **totals,
      'total_flops': sum(v for k, v in totals.items() if k.endswith('flops')),
      **flops.parameters(state),
    }
    run_folder.write_atomically(folder / LEDGER, json.dumps(ledger, indent=2))
