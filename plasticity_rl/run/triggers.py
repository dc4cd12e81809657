"""Triggers of a run: criteria for interventions and for the replay ratio."""

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

_RATIO = '(replay ratio)'  # A label that no intervention can have.


class Due(NamedTuple):
  """An intervention whose criterion is met in some seeds.

  Attributes:
    intervention: the intervention.
    apply: `(state) -> state`, for those seeds.
    seeds: the numbers of those seeds.
    reasons: a reason for each of them.
  """

  intervention: schedule_lib.ScheduledIntervention
  apply: Callable[[TrainState], TrainState]
  seeds: list[int]
  reasons: list[str]


class _Trigger(NamedTuple):
  """An intervention and its criterion; `apply` takes a mask of seeds."""

  intervention: schedule_lib.ScheduledIntervention
  criterion_state: criteria.CriterionState
  apply: Callable[[TrainState, jax.Array], TrainState]


class Triggers:
  """The criteria of one run and their states."""

  def __init__(self, experiment: Experiment):
    """Makes the criteria of an experiment.

    Raises:
      UserError: a metric does not exist, or there are too few slots.
    """
    self._experiment = experiment
    self._triggers = {
      one.expression.label: _trigger(experiment, one)
      for one in experiment.schedule.interventions
      if one.when
    }
    self._replay_ratio = _replay_ratio_criterion(experiment)

  @property
  def replay_ratio_changed(self) -> bool:
    """Whether the later replay ratio is in effect."""
    return self._replay_ratio is not None and self._replay_ratio.fired

  def save(self) -> dict[str, Any]:
    """The states of the criteria, by label, for JSON."""
    return {label: one.save() for label, one in self._criteria()}

  def restore(self, saved: Mapping[str, Any]) -> None:
    """Restores what `save` returned; labels of another run are ignored."""
    for label, one in self._criteria():
      if label in saved:
        one.restore(saved[label])

  def observe(
    self, step: int, metrics: Mapping[str, Any]
  ) -> tuple[str, list[Due]]:
    """Updates the criteria with the metrics of a step.

    Args:
      step: the step.
      metrics: by name.

    Returns:
      The reason why the replay ratio changes now, or ''; and the interventions
      that are due.
    """
    partition = self._experiment.partition
    names = sorted({one.criterion.metric for _, one in self._criteria()})
    values = partition.metrics({n: metrics[n] for n in names if n in metrics})
    ratio_reason = ''
    ratio = self._replay_ratio
    if ratio is not None and ratio.criterion.metric in values:
      by_seed = values[ratio.criterion.metric]
      mean = np.nan if np.isnan(by_seed).all() else np.nanmean(by_seed)
      (ratio_reason,) = ratio.observe(step, np.array([mean]))
    due = []
    for intervention, criterion_state, apply in self._triggers.values():
      metric = criterion_state.criterion.metric
      if metric not in values:
        continue
      reasons = criterion_state.observe(step, values[metric])
      met = np.array([bool(reason) for reason in reasons])
      if met.any():
        mask, first = partition.local_seeds(met), self._experiment.settings.seed
        due.append(
          Due(
            intervention,
            lambda state, a=apply, m=mask: a(state, m),
            (first + np.flatnonzero(met)).tolist(),
            [reason for reason in reasons if reason],
          )
        )
    return ratio_reason, due

  def _criteria(self):
    """The states of all criteria, with their labels."""
    found = [
      (label, one.criterion_state) for label, one in self._triggers.items()
    ]
    if self._replay_ratio is not None:
      found.append((_RATIO, self._replay_ratio))
    return found


def _trigger(experiment, intervention):
  """The trigger of an intervention with `when`."""
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
  return _Trigger(intervention, criteria.CriterionState(when, num_seeds), apply)


def _replay_ratio_criterion(experiment):
  """The criterion for the later replay ratio, if there is one."""
  replay = experiment.settings.replay
  if experiment.trainer.segment_later is None:
    return None
  criterion = criteria.parse(replay.later_when, patience=replay.later_patience)
  check_metric(experiment, criterion.metric, 'metric in when')
  return criteria.CriterionState(criterion, 1)
