"""What the next interventions will need, compiled while training goes on.

An injection changes the structure of networks, so that whatever runs afterwards
has to be compiled first. Where it is known that one is to come, all of that is
called with shapes before (see `learner.ahead`), in a thread of its own. The
programs are those that would be compiled at the switch: numbers do not change.
"""

import concurrent.futures
import threading
from collections.abc import Sequence

from absl import logging

from plasticity_rl.experiment import ledger
from plasticity_rl.experiment.experiment import Experiment
from plasticity_rl.interventions.expression import Expression
from plasticity_rl.learner import ahead
from plasticity_rl.types import TrainState
from plasticity_rl.types import structure


class Rehearsal:
  """Compiles in a thread; one program after another."""

  def __init__(self, experiment: Experiment):
    self._experiment = experiment
    self._pool = concurrent.futures.ThreadPoolExecutor(1, 'compile-ahead')
    self._stopped = threading.Event()
    self._begun: dict[tuple, concurrent.futures.Future] = {}
    self._costs: dict[object, ledger.Costs] = {}

  def begin(
      self, state: TrainState, changes: Sequence[Expression],
      is_later: bool = False,
  ) -> None:
    """Begins to compile what `changes` to this state call, and what follows.

    Does nothing where that was asked for before.

    Args:
      state: arrays, or their shapes.
      changes: interventions, one after the other.
      is_later: whether training goes on at the replay ratio of later.
    """
    if not ahead.are_shapes(state):
      state = ahead.shapes_of(state)
    labels = tuple(change.label for change in changes)
    asked = labels, is_later, structure(state.nets)
    if asked not in self._begun:
      self._begun[asked] = self._pool.submit(
          self._compile, state, tuple(changes), is_later
      )

  def wait(self, label: str) -> None:
    """Returns when what was begun for an intervention is compiled."""
    for (labels, *_), future in self._begun.items():
      if label in labels:
        future.result()

  def costs(self, state: TrainState) -> ledger.Costs:
    """What `ledger.costs` finds; known before for what was compiled here."""
    key = structure(state.nets)
    if key not in self._costs:
      self._costs[key] = ledger.costs(
          self._experiment.agent, self._experiment.loop.batch, state
      )
    return self._costs[key]

  def close(self, *, finish: bool) -> None:
    """Ends the thread: after all that was begun, or after this program."""
    if not finish:
      self._stopped.set()
    self._pool.shutdown(wait=True, cancel_futures=not finish)

  def _compile(self, state, changes, is_later):
    names = ', '.join(change.label for change in changes)
    try:
      for shapes in self._experiment.ahead(state, changes, is_later):
        if self._stopped.is_set():
          return
        self.costs(shapes)
    except Exception:  # Whatever it is, the run shall not end by it.
      logging.exception(
          'could not compile ahead what %s needs; it will be compiled when it '
          'happens', names,
      )
