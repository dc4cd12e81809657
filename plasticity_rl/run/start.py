"""The start of a run: from scratch, from a fork, or from a checkpoint."""

import dataclasses
from typing import Any

from absl import logging

from plasticity_rl.distributed import hosts
from plasticity_rl.run.accounts import Totals
from plasticity_rl.run.checkpoint import Checkpoints
from plasticity_rl.training.experiment import Experiment
from plasticity_rl.types import TrainState


@dataclasses.dataclass(frozen=True)
class Start:
  """The state that a run starts from.

  Attributes:
    state: the state.
    step: the step of the state.
    history: interventions that changed the structure of the state.
    is_fork: whether to evaluate and measure at once, before any training.
    primed: updates of heavy priming made so far.
    triggers: saved states of the criteria, by label.
  """

  state: TrainState
  step: int = 0
  history: tuple[dict[str, Any], ...] = ()
  is_fork: bool = False
  primed: int = 0
  triggers: dict[str, Any] = dataclasses.field(default_factory=dict)


def restore(
  checkpoints: Checkpoints, step: int, experiment: Experiment
) -> tuple[Start, Totals]:
  """Reads the checkpoint of a step, and logs a change of devices or hosts.

  Raises:
    UserError: the checkpoint cannot be used.
  """
  state, meta = checkpoints.restore(step, experiment)
  _log_layout_change(
    step, state, meta.get('layout'), str(experiment.partition.layout)
  )
  start = Start(
    state,
    step,
    tuple(meta['history']),
    primed=meta['primed'],
    triggers=meta['watches'],
  )
  return start, Totals(**meta['clock'])


def _log_layout_change(step, state, saved, now):
  """Logs a warning if other devices or hosts saved the checkpoint."""
  # Checkpoints of earlier versions have no layout.
  if saved in (None, now) or not hosts.is_first():
    return
  counters = state.counters
  replay_is_empty = 0 < int(counters.stored) == int(counters.cleared)
  logging.warning(
    'the checkpoint of step %d was saved on %s and continues on %s: %s',
    step,
    saved,
    now,
    'the replay starts empty, and updates wait until it is filled'
    if replay_is_empty
    else 'seeds, environments and replay are divided anew',
  )
