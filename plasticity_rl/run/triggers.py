"""What a run waits for: interventions by `when`, and a higher replay ratio."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from plasticity_rl.errors import UserError
from plasticity_rl.training import criteria
from plasticity_rl.training import schedule as schedule_lib
from plasticity_rl.training.experiment import Experiment
from plasticity_rl.training.experiment import check_metric
from plasticity_rl.types import TrainState

_RATIO = '(replay ratio)'  # Among the labels; no intervention's looks like it.


class Due(NamedTuple):
  """An intervention whose criterion is met in some seeds.

  Attributes:
    intervention: which.
    apply: `(state) -> state`, on those seeds.
    seeds: their numbers.
    why: a reason for each.
  """

  intervention: schedule_lib.ScheduledIntervention
  apply: Callable[[TrainState], TrainState]
  seeds: list[int]
  why: list[str]


class _Awaited(NamedTuple):
  intervention: schedule_lib.ScheduledIntervention
  watch: criteria.CriterionState
  apply: Callable[[TrainState, jax.Array], TrainState]


class Triggers:
  """The criteria of one run, and what each has seen."""

  def __init__(self, experiment: Experiment):
    """Refuses criteria that could not be met as the config asks."""
    self._experiment = experiment
    self._awaited = {
      one.expression.label: _await(experiment, one)
      for one in schedule_lib.schedule(experiment.settings).interventions
      if one.when
    }
    self._ratio = _await_ratio(experiment)

  @property
  def ratio_has_risen(self) -> bool:
    """Whether updates are as frequent as they are to be later."""
    return self._ratio is not None and self._ratio.fired

  def save(self) -> dict[str, Any]:
    """What `restore` takes, for JSON."""
    return {label: watch.save() for label, watch in self._watches()}

  def restore(self, saved: Mapping[str, Any]) -> None:
    """Goes on from what was saved; labels of another run are left out."""
    for label, watch in self._watches():
      if label in saved:
        watch.restore(saved[label])

  def observe(
    self, step: int, metrics: Mapping[str, Any]
  ) -> tuple[str, list[Due]]:
    """Looks at the metrics of a step, those that anything waits for.

    Returns:
      Why the replay ratio rises now, or ''; and what is due.
    """
    parts = self._experiment.parts
    names = sorted({watch.criterion.metric for _, watch in self._watches()})
    values = parts.metrics({n: metrics[n] for n in names if n in metrics})
    risen = ''
    if self._ratio is not None and self._ratio.criterion.metric in values:
      each = values[self._ratio.criterion.metric]
      mean = np.nan if np.isnan(each).all() else np.nanmean(each)
      (risen,) = self._ratio.observe(step, np.array([mean]))
    found = []
    for intervention, watch, apply in self._awaited.values():
      if watch.criterion.metric not in values:
        continue
      why = watch.observe(step, values[watch.criterion.metric])
      due = np.array([bool(reason) for reason in why])
      if due.any():
        own, first = parts.seeds(due), self._experiment.settings.seed
        found.append(
          Due(
            intervention,
            lambda state, a=apply, d=own: a(state, d),
            (first + np.flatnonzero(due)).tolist(),
            [reason for reason in why if reason],
          )
        )
    return risen, found

  def _watches(self):
    watches = [(label, one.watch) for label, one in self._awaited.items()]
    return watches + [(_RATIO, self._ratio)] * (self._ratio is not None)


def _await(experiment, intervention):
  expression, when = intervention.expression, intervention.when
  num_seeds = experiment.settings.num_seeds
  check_metric(experiment, when.metric, 'metric in when')
  slots = experiment.agent.spec.slots
  if expression.name == 'injection' and 0 < slots < when.max_times:
    raise UserError(
      f'config.interventions: {expression.label!r} may happen '
      f'{when.max_times} times, but network.slots is {slots}'
    )
  if num_seeds > 1:
    apply = experiment.intervene_where(expression)
  else:
    change = experiment.intervene(expression)
    apply = lambda state, mask: change(state)  # noqa: E731
  return _Awaited(intervention, criteria.CriterionState(when, num_seeds), apply)


def _await_ratio(experiment):
  """What the replay ratio waits for, if it does: the mean over seeds."""
  replay = experiment.settings.replay
  if experiment.trainer.segment_later is None:
    return None
  criterion = criteria.parse(replay.later_when, patience=replay.later_patience)
  check_metric(experiment, criterion.metric, 'metric in when')
  return criteria.CriterionState(criterion, 1)
