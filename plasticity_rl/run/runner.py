"""The loop of a run: compiled segments, and the events between them."""

import pathlib
from collections.abc import Callable, Collection

from plasticity_rl.distributed import hosts
from plasticity_rl.errors import EnvironmentFaultError
from plasticity_rl.errors import Interrupted
from plasticity_rl.errors import RunError
from plasticity_rl.run import accounts as accounts_lib
from plasticity_rl.run import divergence
from plasticity_rl.run import metrics as metrics_lib
from plasticity_rl.run import run_folder
from plasticity_rl.run import start as start_lib
from plasticity_rl.run.checkpoint import Checkpoints
from plasticity_rl.run.preemption import PreemptionHandler
from plasticity_rl.run.recorder import Recorder
from plasticity_rl.run.start import Start
from plasticity_rl.run.triggers import Triggers
from plasticity_rl.training.experiment import Experiment
from plasticity_rl.types import structure


def check(experiment: Experiment) -> None:
  """Checks that all interventions and logs of the config are possible.

  Raises:
    UserError: an intervention is not possible, or what it logs to is not
      installed.
  """
  if hosts.is_first():
    metrics_lib.check(experiment.settings.log)
  for one in experiment.schedule.interventions:
    experiment.intervene(one.expression)
  Triggers(experiment)


def run(
  experiment: Experiment,
  folder: pathlib.Path,
  *,
  start: Callable[[], Start] | None = None,
  num_steps: int | None = None,
  name: str = '',
  keep_steps: Collection[int] = (),
) -> None:
  """Runs an experiment to its end, from its last checkpoint if it has one.

  Args:
    experiment: what to run.
    folder: prepared by `run_folder.prepare`.
    start: returns the initial state if there is no checkpoint; by default
      `experiment.init`.
    num_steps: the last step, for a fork; the config's by default.
    name: on the progress bar.
    keep_steps: steps at which to evaluate, measure, and save a checkpoint that
      is kept, in addition to those of the schedule.

  Raises:
    UserError: the folder or its checkpoints cannot be used.
    Interrupted: the process was asked to stop, and has saved.
    RunError: the loss or the weights diverged, an environment returned what
      does not fit its spaces, the disk is full, or another process is running
      this folder.
  """
  end = num_steps or experiment.schedule.num_steps
  if hosts.broadcast_object('is done', _is_done(folder, end)):
    return
  with PreemptionHandler() as preemption, run_folder.lock(folder):
    Runner(
      experiment,
      folder,
      preemption,
      start=start,
      num_steps=num_steps,
      name=name,
      keep_steps=keep_steps,
    ).run()


def _is_done(folder, end):
  """Whether a run is complete: its ledger is written last."""
  return (
    hosts.is_first()
    and (folder / accounts_lib.LEDGER).exists()
    and (Checkpoints(folder).newest() == end)
  )


class Runner:
  """One process of a run, from its start or last checkpoint to its end."""

  def __init__(
    self,
    experiment: Experiment,
    folder: pathlib.Path,
    preemption: PreemptionHandler,
    *,
    start: Callable[[], Start] | None = None,
    num_steps: int | None = None,
    name: str = '',
    keep_steps: Collection[int] = (),
  ):
    """Restores the newest checkpoint, or starts; see `run` for the arguments.

    Raises:
      UserError: the checkpoints cannot be used.
    """
    self._experiment = experiment
    self._folder = folder
    self._preemption = preemption
    settings = experiment.settings
    self._schedule = experiment.schedule
    self._end = num_steps or self._schedule.num_steps
    self._interventions = [
      (i, experiment.intervene(i.expression))
      for i in self._schedule.interventions
      if i.at_steps or i.every_steps
    ]
    self._triggers = Triggers(experiment)
    self._keep_steps = keep_steps
    self._checkpoints = Checkpoints(
      folder, settings.checkpoint.keep, keep_steps
    )
    newest = hosts.broadcast_object(
      'newest checkpoint',
      (self._checkpoints.newest() if hosts.is_first() else None),
    )
    if newest is not None:
      begin, totals = start_lib.restore(self._checkpoints, newest, experiment)
    else:
      begin = start() if start else Start(experiment.init())
      totals = accounts_lib.Totals()
    self._state, self._step = begin.state, begin.step
    self._is_fork = begin.is_fork
    self._history, self._primed = list(begin.history), begin.primed
    self._triggers.restore(begin.triggers)
    self._accounts = accounts_lib.Accounts(experiment, self._state, totals)
    self._recorder = Recorder(
      experiment,
      folder,
      self._accounts,
      self._checkpoints,
      start_step=begin.step,
      end_step=self._end,
      segment_steps=self._schedule.segment,
      is_resumed=newest is not None,
      name=name or 'train',
    )

  def run(self) -> None:
    """Runs to the end; see the function `run` for what it raises."""
    with self._recorder.running():
      if hosts.is_first():  # An old ledger would mark this run as done.
        (self._folder / accounts_lib.LEDGER).unlink(missing_ok=True)
      try:
        self._run_segments()
      except EnvironmentFaultError as error:
        raise RunError(
          divergence.environment_message(error, self._step, self._checkpoints)
        ) from error
    if hosts.is_first():
      self._accounts.write_ledger(self._folder, self._state)

  def _run_segments(self):
    if self._is_fork:
      # The state stays as it is, since the unforked run need not measure here.
      self._evaluate_and_measure(
        evaluate=True, measure=True, update_state=False
      )
    if self._prime():  # The process before this one stopped while priming.
      self._save()
    while self._step < self._end:
      self._stop_if_preempted()
      self._state, metrics = self._segment()(self._state)
      # The host writes the last segment while this one runs.
      self._recorder.flush()
      self._checkpoints.poll()
      self._step += self._schedule.segment
      self._after_segment(metrics)
    self._recorder.flush()
    self._checkpoints.wait()

  def _segment(self):
    """The next compiled segment, which depends on the replay ratio."""
    trainer = self._experiment.trainer
    if self._triggers.replay_ratio_changed:
      return trainer.segment_later
    return trainer.segment

  def _after_segment(self, metrics):
    """Handles all events of a step, in this order."""
    step, schedule = self._step, self._schedule
    keep = step in self._keep_steps
    metrics = self._evaluate_and_measure(
      evaluate=keep or step % schedule.evaluate == 0,
      measure=keep or step % schedule.measure == 0,
      metrics=metrics,
    )
    if self._training_continues():
      for intervention, apply in self._interventions:
        if intervention.due(step):
          self._intervene(intervention, apply)
      self._check_triggers(metrics)
    self._prime()
    if keep or step % schedule.save == 0 or step == self._end:
      self._save()

  def _training_continues(self):
    """Whether training continues from this step, perhaps in another run.

    Training also continues at the end of a prefix: its forks continue it.
    """
    return self._step < max(self._end, self._schedule.num_steps)

  def _prime(self):
    """Makes the updates of heavy priming if they are due.

    Returns:
      Whether it made any.
    """
    if not self._schedule.prime or self._step != self._schedule.prime:
      return False
    self._recorder.flush()  # Its count of updates is that before priming.
    total = self._experiment.settings.replay.priming_updates
    before_priming = self._primed
    while self._primed < total:
      self._stop_if_preempted()
      before = int(self._state.counters.updates)
      self._state = self._experiment.trainer.prime(self._state)
      updates = int(self._state.counters.updates) - before
      self._primed += updates
      self._recorder.add_priming(updates, self._primed, total)
    return self._primed > before_priming

  def _evaluate_and_measure(
    self, *, evaluate, measure, metrics=None, update_state=True
  ):
    """Adds to the metrics of this step, records and returns them."""
    metrics = dict(metrics or {})
    has_finite_weights = True
    if evaluate:
      metrics.update(self._experiment.evaluate(self._state))
      has_finite_weights = self._experiment.is_finite(self._state)
    if measure:
      measured, changed = self._experiment.measure(self._state)
      metrics.update(measured)
      if update_state:
        self._state = self._state._replace(
          interventions={**self._state.interventions, **changed}
        )
    self._recorder.put(self._step, metrics, has_finite_weights)
    return metrics

  def _check_triggers(self, metrics):
    """Changes the replay ratio and intervenes if criteria are met."""
    ratio_reason, due = self._triggers.observe(self._step, metrics)
    if ratio_reason:
      replay = self._experiment.settings.replay
      self._recorder.event(
        self._step,
        event='replay_ratio',
        why=ratio_reason,
        updates_per_step=replay.later_updates_per_step,
      )
    for one in due:
      self._intervene(
        one.intervention, one.apply, seeds=one.seeds, why=one.reasons
      )

  def _intervene(self, intervention, apply, **facts):
    self._recorder.flush()  # It uses the costs from before the intervention.
    before, expression = self._state, intervention.expression
    self._state = apply(before)
    changes = self._experiment.partition.metrics(
      self._experiment.compare(before, self._state)
    )
    self._recorder.event(
      self._step,
      event='intervention',
      label=expression.label,
      expression=expression.text,
      **facts,
      **{k: v.tolist() for k, v in changes.items()},
    )
    if structure(before) != structure(self._state):
      self._history.append(
        {
          'step': self._step,
          'expression': f'{expression.label}={expression.text}',
        }
      )
      self._accounts.set_costs(self._state)

  def _save(self):
    self._recorder.flush()
    finite = bool(self._experiment.is_finite(self._state))
    if not all(hosts.all_gather_object('finite weights', finite)):
      raise RunError(
        divergence.weights_message(
          self._step, self._experiment.settings, self._checkpoints
        )
      )
    partition = self._experiment.partition
    saved = self._experiment.trainer.to_checkpoint(self._state)
    self._checkpoints.save(
      self._step,
      saved,
      {
        'history': self._history,
        'clock': self._accounts.save(),
        'primed': self._primed,
        'watches': self._triggers.save(),
        'origin': run_folder.origin(),
        'layout': str(partition.layout),
      },
      self._experiment.trainer.snapshots(self._state),
      partition.leaf_axes(saved),
    )

  def _stop_if_preempted(self):
    """Saves and stops all hosts at this step if any was asked to stop."""
    if not any(
      hosts.all_gather_object('asked to stop', self._preemption.requested)
    ):
      return
    self._save()
    self._checkpoints.wait()
    raise Interrupted(
      f'stopped at step {self._step} of {self._end}, saved in '
      f'{self._folder}; the same command continues'
    )
