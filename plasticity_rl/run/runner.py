"""A run through time: segments, and what happens between them."""

import dataclasses
import json
import math
import pathlib
import time
from collections.abc import Callable, Collection
from typing import Any

import jax
import jax.monitoring
import numpy as np
import tqdm
from absl import logging

from plasticity_rl.distributed import hosts
from plasticity_rl.errors import Interrupted
from plasticity_rl.errors import RunError
from plasticity_rl.run import flops as ledger_lib
from plasticity_rl.run import run_folder
from plasticity_rl.run.checkpoint import Checkpoints
from plasticity_rl.run.metrics import Silent
from plasticity_rl.run.metrics import Writers
from plasticity_rl.run.preemption import PreemptionHandler
from plasticity_rl.run.triggers import Triggers
from plasticity_rl.training import schedule as schedule_lib
from plasticity_rl.training.experiment import Experiment
from plasticity_rl.types import TrainState
from plasticity_rl.types import structure

LEDGER = 'ledger.json'


@dataclasses.dataclass(frozen=True)
class Start:
  """Where a run starts that has no checkpoint of its own yet.

  Attributes:
    state: the state.
    step: its step.
    history: interventions that changed its structure.
    is_fork: whether to evaluate and measure at once, before any training.
    primed: updates made so far in priming.
    watches: what criteria have seen so far, by label.
  """

  state: TrainState
  step: int = 0
  history: tuple[dict[str, Any], ...] = ()
  is_fork: bool = False
  primed: int = 0
  watches: dict[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class _Clock:
  """Accounts of a run, saved with it."""

  seconds: float = 0.0
  compile_seconds: float = 0.0
  act_flops: float = 0.0
  update_flops: float = 0.0
  evaluation_flops: float = 0.0


def check(experiment: Experiment) -> None:
  """Refuses interventions that could not happen as the config asks."""
  schedule = schedule_lib.schedule(experiment.settings)
  for one in schedule.interventions:
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
  """Runs an experiment in its folder to the end, or on from where it was.

  Args:
    experiment: what to run.
    folder: prepared by `run_folder.prepare`.
    start: makes the state of a run without a checkpoint; `experiment.init` by
      default.
    num_steps: where to end, for a fork; the config's otherwise.
    name: on the progress bar.
    keep_steps: points of the grid to be evaluated, measured and saved for
      good, beside those of the schedule.
  """
  end = num_steps or schedule_lib.schedule(experiment.settings).num_steps
  if hosts.broadcast_object('is done', _is_done(folder, end)):
    return
  with PreemptionHandler() as interrupts, run_folder.alone(folder):
    _Run(
      experiment,
      folder,
      start,
      num_steps,
      name,
      keep_steps,
      interrupts,
    ).run()


def _is_done(folder, end):
  """Whether all is there: the ledger is written last."""
  return (
    hosts.is_first()
    and (folder / LEDGER).exists()
    and (Checkpoints(folder).newest() == end)
  )


class _Run:
  """The mutable state of a run on the host."""

  def __init__(
    self,
    experiment,
    folder,
    start,
    num_steps,
    name,
    keep_steps,
    interrupts,
  ):
    self._experiment = experiment
    self._folder = folder
    self._name = name
    self._interrupts = interrupts
    settings = experiment.settings
    self._schedule = schedule_lib.schedule(settings)
    self._end = num_steps or self._schedule.num_steps
    self._interventions = [
      (i, experiment.intervene(i.expression))
      for i in self._schedule.interventions
      if i.at_steps or i.every_steps
    ]
    self._waiting = Triggers(experiment)
    self._keep_steps = keep_steps
    self._checkpoints = Checkpoints(
      folder, settings.checkpoint.keep, keep_steps
    )
    self._clock = _Clock()
    self._pending = None
    newest = hosts.broadcast_object(
      'newest checkpoint',
      (self._checkpoints.newest() if hosts.is_first() else None),
    )
    if newest is not None:
      self._state, meta = self._checkpoints.restore(newest, experiment)
      self._tell_of_moving(newest, meta)
      self._step, self._history = newest, list(meta['history'])
      self._clock = _Clock(**meta['clock'])
      self._is_fork, self._primed = False, meta['primed']
      watched = meta['watches']
    else:
      begin = start() if start else Start(experiment.init())
      self._state, self._step = begin.state, begin.step
      self._history, self._is_fork = list(begin.history), begin.is_fork
      self._primed, watched = begin.primed, begin.watches
    self._waiting.restore(watched)
    self._writers = Silent()
    if hosts.is_first():
      self._writers = Writers(
        folder,
        settings.log,
        -1 if newest is None else newest,
        settings.seed,
        experiment.trainer.frames_per_step,
      )
    self._updates = int(self._state.counters.updates)
    self._costs = self._cost()
    self._last_loss = math.nan
    self._begin = self._step

  def run(self) -> None:
    bar = tqdm.tqdm(
      total=self._end,
      initial=self._step,
      desc=self._name or 'train',
      unit=' steps',
      unit_scale=True,
      dynamic_ncols=True,
      mininterval=0.5,
      disable=(
        not self._experiment.settings.log.progress or not hosts.is_first()
      ),
    )
    listener = self._listen_to_compilation()
    self._begun = time.monotonic() - self._clock.seconds
    if hosts.is_first():  # One of an earlier end would say that this is done.
      (self._folder / LEDGER).unlink(missing_ok=True)
    try:
      with bar:
        self._bar = bar
        if self._is_fork:
          # Not to be remembered: the unforked run need not measure here.
          self._look(evaluate=True, measure=True, remember=False)
        if self._prime():  # It was stopped in the middle of priming.
          self._save()
        while self._step < self._end:
          self._stop_if_asked()
          self._state, metrics = self._segment()(self._state)
          # The host writes the last segment while this one runs.
          self._flush()
          self._checkpoints.poll()
          self._step += self._schedule.segment
          self._boundary(metrics)
        self._flush()
        self._checkpoints.wait()
    finally:
      jax.monitoring.unregister_event_duration_listener(listener)
      self._writers.close()
    self._write_ledger()

  def _segment(self):
    """What to run next: the replay ratio may have been raised."""
    loop = self._experiment.trainer
    return loop.segment_later if self._waiting.ratio_has_risen else loop.segment

  def _boundary(self, metrics):
    """All that happens at this step, in the order of the design."""
    step, schedule = self._step, self._schedule
    keep = step in self._keep_steps
    self._look(
      evaluate=keep or step % schedule.evaluate == 0,
      measure=keep or step % schedule.measure == 0,
      metrics=metrics,
    )
    seen = self._pending[1]
    if self._goes_on_from(step):
      for intervention, apply in self._interventions:
        if intervention.due(step):
          self._intervene(intervention, apply)
      self._watch(seen)
    self._prime()
    if keep or step % schedule.save == 0 or step == self._end:
      self._save()

  def _goes_on_from(self, step):
    """At the end of a prefix as well: the run that it stands for does."""
    return step < max(self._end, self._schedule.num_steps)

  def _prime(self):
    """The updates of heavy priming, if it is time; whether any were made."""
    if not self._schedule.prime or self._step != self._schedule.prime:
      return False
    self._flush()  # Its updates are those before priming.
    total = self._experiment.settings.replay.priming_updates
    begun = self._primed
    while self._primed < total:
      self._stop_if_asked()
      before = int(self._state.counters.updates)
      self._state = self._experiment.trainer.prime(self._state)
      made = int(self._state.counters.updates) - before
      self._primed += made
      self._updates += made
      self._clock.update_flops += made * self._costs.update
      self._bar.set_postfix_str(f'priming {self._primed}/{total}')
    return self._primed > begun

  def _look(self, *, evaluate, measure, metrics=None, remember=True):
    """Evaluates and measures; what comes out is written a segment later."""
    metrics = dict(metrics or {})
    if evaluate:
      metrics.update(self._experiment.evaluate(self._state))
    if measure:
      measured, own = self._experiment.measure(self._state)
      metrics.update(measured)
      if remember:
        self._state = self._state._replace(
          interventions={**self._state.interventions, **own}
        )
    self._pending = (self._step, metrics)

  def _watch(self, metrics):
    """What waits for something: interventions each seed by itself."""
    why, due = self._waiting.observe(self._step, metrics)
    if why:
      replay = self._experiment.settings.replay
      self._writers.event(
        self._step,
        event='replay_ratio',
        why=why,
        updates_per_step=replay.later_updates_per_step,
      )
    for one in due:
      self._intervene(one.intervention, one.apply, seeds=one.seeds, why=one.why)

  def _intervene(self, intervention, apply, **facts):
    self._flush()  # What was computed so far has the costs of before.
    before, expression = self._state, intervention.expression
    self._state = apply(before)
    jumps = self._experiment.parts.metrics(
      self._experiment.compare(before, self._state)
    )
    self._writers.event(
      self._step,
      event='intervention',
      label=expression.label,
      expression=expression.text,
      **facts,
      **{k: v.tolist() for k, v in jumps.items()},
    )
    if structure(before) != structure(self._state):
      self._history.append(
        {
          'step': self._step,
          'expression': f'{expression.label}={expression.text}',
        }
      )
      self._costs = self._cost()

  def _cost(self):
    return ledger_lib.costs(
      self._experiment.agent, self._experiment.trainer.batch, self._state
    )

  def _flush(self):
    """Writes the metrics of the last boundary; stops on a loss of NaN."""
    if self._pending is None:
      return
    step, metrics = self._pending
    self._pending = None
    metrics = self._experiment.parts.metrics(metrics)
    updates = self._count(step, metrics)
    bad = metrics.pop('bad_step', np.array([-1]))
    self._clock.seconds = time.monotonic() - self._begun
    self._writers.write(step, updates, self._clock.seconds, metrics)
    self._bar.update(step - self._bar.n)
    shown = metrics.get('eval/return', metrics.get('train/return'))
    if shown is not None and not np.isnan(shown).all():
      self._bar.set_postfix_str(f'return {np.nanmean(shown):.2f}')
    if (bad >= 0).any():
      self._diverged(bad)
    loss = metrics.get('train/loss', np.array([math.nan]))
    if not np.isnan(loss).all():
      self._last_loss = float(np.nanmean(loss))

  def _count(self, step, metrics):
    """Updates made by `step`, and what they cost, from shared counters."""
    updates = int(metrics.pop('updates', np.array([self._updates]))[0])
    clock = self._clock
    rows = self._schedule.segment if 'bad_step' in metrics else 0
    clock.act_flops += rows * self._costs.act
    clock.update_flops += (updates - self._updates) * self._costs.update
    if 'eval/steps' in metrics:
      clock.evaluation_flops += (
        float(metrics['eval/steps'].mean()) * self._costs.act
      )
    self._updates = updates
    return updates

  def _save(self):
    self._flush()
    finite = bool(self._experiment.is_finite(self._state))
    if not all(hosts.all_gather_object('finite weights', finite)):
      raise RunError(
        f'the weights became NaN or infinite before step {self._step}: most '
        'likely optimizer.learning_rate '
        f'({self._experiment.settings.optimizer.learning_rate:g}) is too '
        f'high; last good checkpoint: {self._last_good()}'
      )
    parts = self._experiment.parts
    portable = self._experiment.trainer.portable(self._state)
    self._checkpoints.save(
      self._step,
      portable,
      {
        'history': self._history,
        'clock': dataclasses.asdict(self._clock),
        'primed': self._primed,
        'watches': self._waiting.save(),
        'origin': run_folder.origin(),
        'layout': str(parts.layout),
      },
      self._experiment.trainer.snapshots(self._state),
      parts.by_leaf(portable),
    )

  def _stop_if_asked(self):
    """Saves and leaves if any host was asked to: all do, at the same step."""
    if not any(
      hosts.all_gather_object('asked to stop', self._interrupts.requested)
    ):
      return
    self._save()
    self._checkpoints.wait()
    raise Interrupted(
      f'stopped at step {self._step} of {self._end}, saved in '
      f'{self._folder}; the same command continues'
    )

  def _diverged(self, bad):
    seeds = np.flatnonzero(bad >= 0)
    first = int(bad[seeds].min())
    optimizer = self._experiment.settings.optimizer
    if math.isnan(self._last_loss):
      cause = (
        'it was so in the first segment with updates'
        + (f' after step {self._begin}' if self._begin else '')
        + ': look at the observations and rewards, and at '
        'optimizer.learning_rate '
        f'({optimizer.learning_rate:g})'
      )
    else:
      cause = (
        f'the mean loss of the segment before was {self._last_loss:.3g}: '
        'most likely optimizer.learning_rate '
        f'({optimizer.learning_rate:g}) is too high'
        + (
          ''
          if optimizer.max_gradient_norm
          else ', or gradients want optimizer.max_gradient_norm'
        )
      )
    raise RunError(
      f'the loss became NaN or infinite at step {first} (seed '
      f'{self._experiment.settings.seed + int(seeds[0])}, {len(seeds)} of '
      f'{len(bad)} seeds); {cause}; last good checkpoint: ' + self._last_good()
    )

  def _last_good(self):
    self._checkpoints.wait()
    kept = self._checkpoints.steps()
    return f'step {kept[-1]}' if kept else 'none'

  def _listen_to_compilation(self):
    def listener(event, duration, **kwargs):
      del kwargs
      if event.endswith('backend_compile_duration'):
        self._clock.compile_seconds += duration

    jax.monitoring.register_event_duration_secs_listener(listener)
    return listener

  def _tell_of_moving(self, step, meta):
    """A line where a checkpoint goes on somewhere else than it was saved."""
    here = str(self._experiment.parts.layout)
    there, counters = meta.get('layout', here), self._state.counters
    if there == here or not hosts.is_first():
      return
    emptied = 0 < int(counters.stored) == int(counters.cleared)
    logging.warning(
      'the checkpoint of step %d was saved on %s and goes on on %s: %s',
      step,
      there,
      here,
      'the replay begins empty, and updates wait for it'
      if emptied
      else 'what each had of seeds, environments and replay is shared out anew',
    )

  def _write_ledger(self):
    if not hosts.is_first():
      return
    clock = dataclasses.asdict(self._clock)
    total = sum(v for k, v in clock.items() if k.endswith('flops'))
    run_folder.write_atomically(
      self._folder / LEDGER,
      json.dumps(
        {
          **clock,
          'total_flops': total,
          **ledger_lib.parameters(self._state),
        },
        indent=2,
      ),
    )
